import { readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { BuildFailure } from '../../domain/images/build-failure.ts';
import type { ImageBuild } from './image-builder.ts';

const MOST_BYTES = 4 * 1024 ** 2;
/** Of one line: the library that takes it apart looks for the end of the comment at each of them. */
const MOST_HASHES = 1_000;

/** Throws BuildFailure `dockerfile-not-found` and `dockerfile-invalid`. */
export async function readDockerfile({ contextDirectory, dockerfile }: ImageBuild): Promise<string> {
  const root = await realpath(contextDirectory);
  const path = await realpath(join(root, dockerfile)).catch(() => null);
  const found = path?.startsWith(root + sep) ? await stat(path).catch(() => null) : null;
  if (path === null || !found) {
    throw new BuildFailure('dockerfile-not-found', `There is no ${dockerfile} in the source`);
  }
  if (!found.isFile())
    throw new BuildFailure('dockerfile-not-found', `${dockerfile} in the source is not a file`);
  if (found.size > MOST_BYTES) {
    throw new BuildFailure('dockerfile-invalid', `${dockerfile} has more than ${MOST_BYTES} bytes`);
  }
  const text = await readFile(path, 'utf8');
  if (mostHashesOfLine(text) > MOST_HASHES) {
    throw new BuildFailure(
      'dockerfile-invalid',
      `${dockerfile} has a line with more than ${MOST_HASHES} "#"`,
    );
  }
  return text;
}

function mostHashesOfLine(text: string): number {
  let most = 0;
  let count = 0;
  for (const char of text) {
    if (char === '#') count += 1;
    else if (char === '\n') count = 0;
    if (count > most) most = count;
  }
  return most;
}
