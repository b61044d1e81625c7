import { posix } from 'node:path';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import type { DetectedPackage } from '../ecosystem.ts';
import { packageDirectories } from '../package-directories.ts';
import { isFile } from '../source-files.ts';
import { FORBIDDEN_FILE_NAMES, LOCK_FILE_NAME } from './repository-structure.ts';

/**
 * Directories with a package.json and a lock file of yarn 1, apart from installed and hidden ones. Where a lock file of npm
 * lies beside it, the directory is npm's.
 */
export async function detect(source: SourceFiles): Promise<DetectedPackage[]> {
  const detected: DetectedPackage[] = [];
  for (const directory of packageDirectories(source, 'package.json', /^node_modules$/)) {
    const lockFile = posix.join(directory, LOCK_FILE_NAME);
    if (!source.entries.has(lockFile) || isOfNpm(source, directory)) continue;
    if (await isOfNewerYarn(source, lockFile)) continue;
    const manifest = posix.join(directory, 'package.json');
    detected.push({ options: { path: directory }, evidence: [manifest, lockFile] });
  }
  return detected;
}

function isOfNpm(source: SourceFiles, directory: string): boolean {
  return FORBIDDEN_FILE_NAMES.some((name) => source.entries.has(posix.join(directory, name)));
}

/** Newer yarns begin with `__metadata`: one look at the beginning, for lock files may be large. */
async function isOfNewerYarn(source: SourceFiles, lockFile: string): Promise<boolean> {
  if (!isFile(source, lockFile)) return false;
  for await (const chunk of source.open(lockFile)) {
    return /^"?__metadata"?\s*:/m.test((chunk as Buffer).toString('latin1'));
  }
  return false;
}
