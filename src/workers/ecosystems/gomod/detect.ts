import { posix } from 'node:path';
import type { SourceTree } from '../../../domain/sources/source-tree.ts';
import type { DetectedPackage } from '../ecosystem.ts';

const SKIPPED = new Set(['vendor', 'testdata', 'node_modules']);

/** Directories with a go.mod, apart from those that the go command itself passes over. */
export async function detect(source: SourceTree): Promise<DetectedPackage[]> {
  const detected: DetectedPackage[] = [];
  for (const path of source.entries.keys()) {
    if (posix.basename(path) !== 'go.mod') continue;
    const directory = posix.dirname(path);
    if (directory.split('/').some((part) => SKIPPED.has(part) || /^(\..|_)/.test(part))) continue;
    const sums = posix.join(directory, 'go.sum');
    const evidence = source.entries.has(sums) ? [path, sums] : [path];
    detected.push({ options: { path: directory }, evidence });
  }
  return detected.sort((a, b) => (a.options.path < b.options.path ? -1 : 1));
}
