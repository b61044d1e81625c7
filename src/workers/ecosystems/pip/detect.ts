import { posix } from 'node:path';
import type { SourceTree } from '../../../domain/sources/source-tree.ts';
import type { DetectedPackage } from '../ecosystem.ts';
import { BUILD_REQUIREMENTS, REQUIREMENTS } from './requirements-tree.ts';

const SKIPPED = new Set(['node_modules', 'vendor', 'site-packages', '__pycache__']);

/** Directories with requirements files of the conventional names, apart from installed, vendored and hidden ones. */
export async function detect(source: SourceTree): Promise<DetectedPackage[]> {
  const detected: DetectedPackage[] = [];
  for (const path of source.entries.keys()) {
    if (posix.basename(path) !== REQUIREMENTS) continue;
    const directory = posix.dirname(path);
    if (directory.split('/').some((part) => SKIPPED.has(part) || /^\../.test(part))) continue;
    const build = posix.join(directory, BUILD_REQUIREMENTS);
    const evidence = source.entries.has(build) ? [path, build] : [path];
    detected.push({ options: { path: directory }, evidence });
  }
  return detected.sort((a, b) => (a.options.path < b.options.path ? -1 : 1));
}
