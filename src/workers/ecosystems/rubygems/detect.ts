import { posix } from 'node:path';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import type { DetectedPackage } from '../ecosystem.ts';
import { packageDirectories } from '../package-directories.ts';

export const LOCK_FILE = 'Gemfile.lock';

/** Directories with a Gemfile and its lock file, apart from hidden ones. */
export async function detect(source: SourceFiles): Promise<DetectedPackage[]> {
  return packageDirectories(source, LOCK_FILE).flatMap((path) => {
    const gemfile = posix.join(path, 'Gemfile');
    if (!source.entries.has(gemfile)) return [];
    return [{ options: { path }, evidence: [gemfile, posix.join(path, LOCK_FILE)] }];
  });
}
