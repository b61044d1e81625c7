import type { PublishedImage, PublishedVersion } from '../../../../domain/images/published-image.ts';
import { dateTime } from './dates.ts';
import { FANDOGH_STATES } from './states.ts';

/** An item of the list of images (fandogh.md 1.4): `last_version` is null, never absent. */
export function imageShape(image: PublishedImage, lastVersion: PublishedVersion | null): object {
  return {
    name: image.name,
    namespace: image.projectName,
    owner: image.createdById ?? 0,
    created_at: dateTime(image.createdAt),
    last_version: lastVersion && versionShape(lastVersion),
    repository: image.path,
  };
}

/** fandogh.md 1.7: `size` is a number also while nobody knows it. */
export function versionShape({ name, publishedAt, build }: PublishedVersion): object {
  return {
    version: name,
    state: FANDOGH_STATES[build.state],
    date: dateTime(publishedAt),
    size: build.size ?? 0,
  };
}
