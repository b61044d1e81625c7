import { posix } from 'node:path';
import { ValidationError } from '../../domain/errors.ts';
import type { SourceFiles } from '../../domain/sources/source-tree.ts';

/** Reads a lock file or manifest; throws ValidationError when it is longer than the cap. */
export async function readCapped(source: SourceFiles, path: string, maxBytes: number): Promise<Buffer> {
  const entry = source.lookup(path);
  if (entry !== null && entry !== 'directory' && entry.size > maxBytes) {
    throw new ValidationError('invalid-lockfile', `The file ${path} is larger than ${maxBytes} bytes`);
  }
  return source.read(path, maxBytes);
}

export function isFile(source: SourceFiles, path: string): boolean {
  const found = source.lookup(posix.normalize(path));
  return found !== null && found !== 'directory' && found.mode !== '160000';
}

/** A submodule is a directory too. */
export function isDirectory(source: SourceFiles, path: string): boolean {
  const found = source.lookup(path);
  return found === 'directory' || found?.mode === '160000';
}
