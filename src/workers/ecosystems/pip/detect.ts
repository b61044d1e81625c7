import { posix } from 'node:path';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import type { DetectedPackage } from '../ecosystem.ts';
import { packageDirectories } from '../package-directories.ts';
import { BUILD_REQUIREMENTS, REQUIREMENTS } from './requirements-tree.ts';

const SKIPPED = /^(?:node_modules|vendor|site-packages|__pycache__)$/;

/** Directories with requirements files of the conventional names, apart from installed, vendored and hidden ones. */
export async function detect(source: SourceFiles): Promise<DetectedPackage[]> {
  return packageDirectories(source, REQUIREMENTS, SKIPPED).map((path) => {
    const files = [posix.join(path, REQUIREMENTS), posix.join(path, BUILD_REQUIREMENTS)];
    return { options: { path }, evidence: files.filter((file) => source.entries.has(file)) };
  });
}
