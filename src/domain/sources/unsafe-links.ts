import { followPath } from './follow-path.ts';
import type { SourceTree } from './source-tree.ts';

/** Paths of symbolic links that lead out of the tree, sorted. Loops lead nowhere and are harmless (cachito.md 8, 12). */
export function unsafeLinks(tree: SourceTree): string[] {
  const shape = {
    entries: tree.entries,
    isDirectory: (path: string): boolean => path === '' || tree.children(path).length > 0,
  };
  return [...tree.entries.values()]
    .filter((entry) => entry.mode === '120000' && followPath(shape, entry.path).kind === 'outside')
    .map((entry) => entry.path);
}
