import { posix } from 'node:path';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import type { DetectedPackage } from '../ecosystem.ts';
import { packageDirectories } from '../package-directories.ts';

const SKIPPED = /^(?:vendor|testdata|node_modules)$|^_/;

/** Directories with a go.mod, apart from those that the go command itself passes over. */
export async function detect(source: SourceFiles): Promise<DetectedPackage[]> {
  return packageDirectories(source, 'go.mod', SKIPPED).map((path) => {
    const files = [posix.join(path, 'go.mod'), posix.join(path, 'go.sum')];
    return { options: { path }, evidence: files.filter((file) => source.entries.has(file)) };
  });
}
