import { posix } from 'node:path';
import { InvalidRepoStructure } from '../../../domain/errors.ts';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import type { JsonObject } from '../../javascript-packages/json-object.ts';
import { readWorkspaces } from '../../javascript-packages/workspace-glob.ts';

/** The globs of `workspaces`, a list or `{ packages, nohoist }`. */
export interface WorkspaceGlobs {
  /** Whether a folder, relative to the package, is a workspace. */
  matches(folder: string): boolean;
}

export function readWorkspaceGlobs(path: string, manifest: JsonObject): WorkspaceGlobs {
  return { matches: readWorkspaces(path, manifest) };
}

/** The folders with a package.json that are workspaces, relative to the package, sorted. */
export function findWorkspaces(source: SourceFiles, directory: string, globs: WorkspaceGlobs): string[] {
  const folders = new Set<string>();
  for (const { path, target } of source.entries.values()) {
    const isLink = target !== undefined;
    if (!isLink && posix.basename(path) !== 'package.json') continue;
    const folder = posix.relative(directory, isLink ? path : posix.dirname(path));
    if (folder === '' || folder.split('/').includes('node_modules') || !globs.matches(folder)) continue;
    const real = isLink ? linkedFolder(source, directory, path) : folder;
    if (real === null) continue;
    if (real.split('/')[0] === '..') {
      throw new InvalidRepoStructure(
        'path-outside-root',
        `Workspace path leads outside the package root: ${folder}`,
      );
    }
    folders.add(real);
  }
  return [...folders].sort();
}

/** Where the folder behind a link really is, relative to the package; null when it has no package.json. */
function linkedFolder(source: SourceFiles, directory: string, link: string): string | null {
  const manifest = source.lookup(posix.join(link, 'package.json'));
  if (manifest === null || manifest === 'directory') return null;
  return posix.relative(directory, posix.dirname(manifest.path));
}
