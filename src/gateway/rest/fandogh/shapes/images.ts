import type { ImageRow, VersionRow } from '../operations/images.ts';
import { dateTime } from './dates.ts';
import { FANDOGH_STATES } from './states.ts';

/** An item of the list of images (fandogh.md 1.4): `last_version` is null, never absent. */
export function imageShape({ name, project, createdBy, createdAt, lastVersion, path }: ImageRow): object {
  return {
    name,
    namespace: project.name,
    owner: createdBy?.number ?? 0,
    created_at: dateTime(createdAt),
    last_version: lastVersion && versionShape(lastVersion),
    repository: path,
  };
}

/** fandogh.md 1.7: `size` is a number also while nobody knows it. */
export function versionShape({ name, state, publishedAt, size }: VersionRow): object {
  return { version: name, state: FANDOGH_STATES[state], date: dateTime(publishedAt), size };
}
