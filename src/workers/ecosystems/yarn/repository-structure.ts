import { posix } from 'node:path';
import { InvalidRepoStructure } from '../../../domain/errors.ts';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import { isDirectory, isFile } from '../source-files.ts';

/** The files of one yarn package of the source. Paths are relative to the source root. */
export interface YarnFiles {
  /** The package's directory; `.` for the root. */
  directory: string;
  lockFile: string;
  manifest: string;
}

export const LOCK_FILE_NAME = 'yarn.lock';
/** Lock files of npm: one path cannot be both. */
export const FORBIDDEN_FILE_NAMES = ['package-lock.json', 'npm-shrinkwrap.json'] as const;

/** The checks of prefetch.md 4.1, in its order, for each path. Throws InvalidRepoStructure. */
export function findYarnFiles(source: SourceFiles, directory: string): YarnFiles {
  const at = (name: string) => posix.join(directory, name);
  const manifest = at('package.json');
  const lockFile = at(LOCK_FILE_NAME);
  requireFile(source, manifest, 'package-rejected');
  requireFile(source, lockFile, 'lockfile-not-found');
  for (const path of FORBIDDEN_FILE_NAMES.map(at)) {
    if (source.lookup(path) !== null)
      throw failedCheck('package-rejected', `the ${path} file must not be present`);
  }
  const installed = at('node_modules');
  if (isDirectory(source, installed)) {
    throw failedCheck('package-rejected', `the ${installed} directory must not be present`);
  }
  return { directory, lockFile, manifest };
}

type Code = 'package-rejected' | 'lockfile-not-found';

function requireFile(source: SourceFiles, path: string, code: Code): void {
  if (isFile(source, path)) return;
  if (source.lookup(path) === null) throw failedCheck(code, `the ${path} file must be present`);
  throw failedCheck(code, `${path} must be a file`);
}

function failedCheck(code: Code, problem: string): InvalidRepoStructure {
  return new InvalidRepoStructure(code, `File check failed for yarn: ${problem}`);
}
