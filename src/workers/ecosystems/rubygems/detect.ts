import { posix } from 'node:path';
import type { SourceTree } from '../../../domain/sources/source-tree.ts';
import type { DetectedPackage } from '../ecosystem.ts';

export const LOCK_FILE = 'Gemfile.lock';

/** Directories with a Gemfile and its lock file, apart from hidden ones. */
export async function detect(source: SourceTree): Promise<DetectedPackage[]> {
  const detected: DetectedPackage[] = [];
  for (const path of source.entries.keys()) {
    if (posix.basename(path) !== LOCK_FILE) continue;
    const directory = posix.dirname(path);
    if (directory.split('/').some((part) => /^\../.test(part))) continue;
    const gemfile = posix.join(directory, 'Gemfile');
    if (!source.entries.has(gemfile)) continue;
    detected.push({ options: { path: directory }, evidence: [gemfile, path] });
  }
  return detected.sort((a, b) => (a.options.path < b.options.path ? -1 : 1));
}
