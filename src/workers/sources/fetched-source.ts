import { lfsPointers } from '../../domain/sources/source-snapshot.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';
import type { Digest } from '../../domain/storage/blob-store.ts';

/** A source in the blob store, and what is known of it. */
export interface FetchedSourceTree {
  /** Index blob of the snapshot. */
  snapshot: Digest;
  tree: SourceTree;
  /** null for an uploaded archive. */
  commit: string | null;
  treeId: string;
  /** Seconds since 1970. */
  time: number;
  /** Bytes of all regular files. */
  size: number;
  /** Regular files. */
  files: number;
  /** For the log: what is not as one would expect. */
  warnings: string[];
}

export function fetchedSource(
  snapshot: Digest,
  tree: SourceTree,
  warnings: readonly string[],
): FetchedSourceTree {
  const files = [...tree.entries.values()].filter((entry) => entry.digest !== undefined);
  const pointers = lfsPointers(tree);
  const { commit, treeId, time } = tree;
  return {
    snapshot,
    tree,
    commit,
    treeId,
    time,
    size: files.reduce((sum, entry) => sum + entry.size, 0),
    files: files.length,
    warnings: [
      ...warnings,
      ...(pointers.length === 0
        ? []
        : [`Git LFS pointers, whose contents are not fetched: ${shortList(pointers)}`]),
    ],
  };
}

const SHOWN = 50;

export function shortList(paths: readonly string[]): string {
  const more = paths.length > SHOWN ? ` and ${paths.length - SHOWN} more` : '';
  return paths.slice(0, SHOWN).join(', ') + more;
}
