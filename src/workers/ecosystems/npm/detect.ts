import { posix } from 'node:path';
import type { SourceTree } from '../../../domain/sources/source-tree.ts';
import type { DetectedPackage } from '../ecosystem.ts';
import { LOCK_FILE_NAMES } from './repository-structure.ts';

/** Directories with a package.json and a lock file, apart from installed and hidden ones. */
export async function detect(source: SourceTree): Promise<DetectedPackage[]> {
  const detected: DetectedPackage[] = [];
  for (const path of source.entries.keys()) {
    if (posix.basename(path) !== 'package.json') continue;
    const directory = posix.dirname(path);
    if (directory.split('/').some((part) => part === 'node_modules' || /^\../.test(part))) continue;
    const lockFile = LOCK_FILE_NAMES.map((name) => posix.join(directory, name)).find((file) =>
      source.entries.has(file),
    );
    if (lockFile) detected.push({ options: { path: directory }, evidence: [path, lockFile] });
  }
  return detected.sort((a, b) => (a.options.path < b.options.path ? -1 : 1));
}
