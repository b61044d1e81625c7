import { compareText } from '../code-point-order.ts';
import { InvalidRepoStructure, ValidationError } from '../errors.ts';

/** What file systems take: longer names could be stored but never written out. */
const MAX_PATH_BYTES = 4096;
const MAX_NAME_BYTES = 255;

/** Code points that some file systems ignore in names, so that `.g<U+200C>it` is `.git` there. */
const IGNORED_CODE_POINTS = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

/**
 * Refuses a path that could name something outside the tree, or that no file system could hold. Every path of a source
 * passes here before it is stored (prefetch.md 12, rooted paths).
 */
export function assertSourcePath(path: string, options: { gitDirectory?: boolean } = {}): void {
  if (path === '' || path.startsWith('/')) throw outside(path);
  if (path.includes('\0')) throw malformed(path, 'contains a NUL character');
  if (!path.isWellFormed() || path.includes('\ufffd')) throw malformed(path, 'is not valid UTF-8');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw malformed(path, `is longer than ${MAX_PATH_BYTES} bytes`);
  for (const name of path.split('/')) {
    if (name === '..') throw outside(path);
    if (name === '' || name === '.') throw malformed(path, 'has an empty component');
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
      throw malformed(path, `has a component of more than ${MAX_NAME_BYTES} bytes`);
    }
    if (!options.gitDirectory && isGitDirectoryName(name)) {
      throw malformed(path, 'would lie in the git directory');
    }
  }
}

/** Whether some file system takes the name for `.git`. */
export function isGitDirectoryName(name: string): boolean {
  const plain = name
    .replace(IGNORED_CODE_POINTS, '')
    .replace(/[. ]+$/, '')
    .toLowerCase();
  return plain === '.git' || plain === 'git~1';
}

/** Bytewise order of the UTF-8 forms (prefetch.md 14), which is also git's order of a whole tree. */
export const comparePaths = compareText;

function outside(path: string): ValidationError {
  return new ValidationError(
    'path-outside-root',
    `The path ${JSON.stringify(path)} is outside of the source`,
  );
}

function malformed(path: string, reason: string): InvalidRepoStructure {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return new InvalidRepoStructure(
    'unexpected-format',
    `The path ${JSON.stringify(shown)} of the source ${reason}`,
  );
}
