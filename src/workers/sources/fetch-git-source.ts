import type { Settings } from '../../domain/config.ts';
import { recordBlobs } from '../../domain/database/sql/record-blobs.ts';
import { insertSnapshot } from '../../domain/database/sql/source-snapshots.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import { ValidationError } from '../../domain/errors.ts';
import type { Flag } from '../../domain/packages/package.ts';
import { omitEntries, openSnapshot } from '../../domain/sources/source-snapshot.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';
import { unsafeLinks } from '../../domain/sources/unsafe-links.ts';
import type { BlobStore, Digest } from '../../domain/storage/blob-store.ts';
import type { DatabaseGitTrees } from '../git/database-git-trees.ts';
import { parseRepositoryUrl } from '../git/repository-url.ts';

/** A source in the blob store, and what is known of it. */
export interface FetchedSourceTree {
  /** Index blob of the snapshot. */
  snapshot: Digest;
  tree: SourceTree;
  commit: string | null;
  treeId: string;
  files: number;
  size: number;
  warnings: string[];
}

export interface GitSource {
  repository: string;
  ref: string | null;
  flags: readonly Flag[];
}

/**
 * The tree of a commit, ref resolved once. Links that leave the tree fail the request, or are left out with the flag
 * `remove-unsafe-symlinks` (cachito.md 4.2).
 */
export async function fetchGitSource(
  source: GitSource,
  context: { git: DatabaseGitTrees; sql: SqlExecutor; blobs: BlobStore; settings: Settings },
): Promise<FetchedSourceTree> {
  const { git, blobs } = context;
  const commit = await git.resolveRef(source.repository, source.ref);
  const snapshot = await git.snapshot(source.repository, commit);
  const tree = await openSnapshot(blobs, snapshot);
  const unsafe = unsafeLinks(tree);
  if (unsafe.length === 0) return described(snapshot, tree, []);
  if (!source.flags.includes('remove-unsafe-symlinks')) {
    throw new ValidationError(
      'path-outside-root',
      `The destination of '${unsafe[0]}' is outside of cloned repository`,
      {
        details: { links: unsafe },
        hint: 'Remove the link, or use the flag remove-unsafe-symlinks.',
      },
    );
  }
  const origin = `${parseRepositoryUrl(source.repository).origin}#without-unsafe-symlinks`;
  const safe = await omitEntries(blobs, snapshot, new Set(unsafe));
  await recordBlobs(context.sql, [safe.index]);
  const safeTree = await openSnapshot(blobs, safe.index.digest);
  const result = described(safe.index.digest, safeTree, [
    `these links leave the source and were removed: ${unsafe.join(', ')}`,
  ]);
  await insertSnapshot(context.sql, {
    origin,
    commit,
    submodules: false,
    treeId: tree.treeId,
    time: tree.time,
    index: safe.index.digest,
    pack: safe.pack,
    size: result.size,
    files: result.files,
  });
  return result;
}

function described(snapshot: Digest, tree: SourceTree, warnings: string[]): FetchedSourceTree {
  const files = [...tree.entries.values()].filter((entry) => entry.digest !== undefined);
  const size = files.reduce((sum, entry) => sum + entry.size, 0);
  return { snapshot, tree, commit: tree.commit, treeId: tree.treeId, files: files.length, size, warnings };
}
