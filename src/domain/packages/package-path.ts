import { posix } from 'node:path';

const LONGEST = 4_096;

/** A directory or file inside the source, normalised, `.` for its root; null: it is not one, or not inside. */
export function packagePath(text: string): string | null {
  const normal = posix.normalize(text).replace(/\/+$/, '');
  const isInside =
    text !== '' &&
    text.length <= LONGEST &&
    !text.includes('\0') &&
    !posix.isAbsolute(text) &&
    !normal.split('/').includes('..');
  return isInside ? normal : null;
}
