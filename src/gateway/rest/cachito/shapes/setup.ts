import type { FilesOfRequest, SetupOfRequest } from '../operations/setup.ts';
import { nameOf } from './names.ts';

/** Name → kind and value (cachito.md 1.11). Of several variables with one name the last one counts. */
export function environmentInfo({ environment }: SetupOfRequest): object {
  return Object.fromEntries(
    environment.map(({ name, value, kind }) => [name, { kind: nameOf(kind), value }]),
  );
}

/** cachito.md 1.10; several contents for one path are all given. */
export function configurationFileList({ configurationFiles }: FilesOfRequest): object[] {
  return configurationFiles.map(({ path, content }) => ({ type: 'base64', path, content }));
}
