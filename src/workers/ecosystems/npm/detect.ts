import { posix } from 'node:path';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import type { DetectedPackage } from '../ecosystem.ts';
import { packageDirectories } from '../package-directories.ts';
import { LOCK_FILE_NAMES } from './repository-structure.ts';

/** Directories with a package.json and a lock file, apart from installed and hidden ones. */
export async function detect(source: SourceFiles): Promise<DetectedPackage[]> {
  return packageDirectories(source, 'package.json', /^node_modules$/).flatMap((path) => {
    const at = (name: string) => posix.join(path, name);
    const lockFile = LOCK_FILE_NAMES.map(at).find((file) => source.entries.has(file));
    return lockFile ? [{ options: { path }, evidence: [at('package.json'), lockFile] }] : [];
  });
}
