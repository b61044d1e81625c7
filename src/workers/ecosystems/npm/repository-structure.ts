import { posix } from 'node:path';
import { InvalidRepoStructure } from '../../../domain/errors.ts';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import { isDirectory, isFile } from '../source-files.ts';

/** The files of one npm package of the source. Paths are relative to the source root. */
export interface NpmFiles {
  /** The package's directory; `.` for the root. */
  directory: string;
  lockFile: string;
  manifest: string;
}

/** In the order of precedence. */
export const LOCK_FILE_NAMES = ['npm-shrinkwrap.json', 'package-lock.json'] as const;

/** The checks of prefetch.md 3.1, in its order, for each path. Throws InvalidRepoStructure. */
export function findNpmFiles(source: SourceFiles, directory: string): NpmFiles {
  const at = (name: string) => posix.join(directory, name);
  const candidates = LOCK_FILE_NAMES.map(at);
  const lockFile = candidates.find((path) => isFile(source, path));
  if (!lockFile) throw required('lockfile-not-found', candidates.join(' or '));
  const manifest = at('package.json');
  if (!isFile(source, manifest)) throw required('package-rejected', manifest);
  if (isDirectory(source, at('node_modules'))) {
    throw new InvalidRepoStructure(
      'package-rejected',
      'The node_modules directory cannot be present in the source repository',
    );
  }
  return { directory, lockFile, manifest };
}

function required(code: 'lockfile-not-found' | 'package-rejected', files: string): InvalidRepoStructure {
  return new InvalidRepoStructure(code, `The ${files} file must be present for the npm package manager`);
}
