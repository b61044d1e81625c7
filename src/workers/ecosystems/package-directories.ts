import { posix } from 'node:path';
import type { SourceFiles } from '../../domain/sources/source-tree.ts';

/** Directories with a file of that name, sorted; not below hidden ones, nor where a name on the way is `skipped`. */
export function packageDirectories(source: SourceFiles, fileName: string, skipped?: RegExp): string[] {
  const isPassedOver = (part: string) => /^\../.test(part) || skipped?.test(part);
  return [...source.entries.keys()]
    .filter((path) => posix.basename(path) === fileName)
    .map((path) => posix.dirname(path))
    .filter((directory) => !directory.split('/').some(isPassedOver))
    .sort();
}
