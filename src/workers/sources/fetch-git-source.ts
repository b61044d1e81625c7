import type { Settings } from '../../domain/config.ts';
import { insertSnapshot } from '../../domain/database/sql/source-snapshots.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import type { Flag } from '../../domain/packages/package.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';
import type { DatabaseGitTrees } from '../git/database-git-trees.ts';
import { parseRepositoryUrl } from '../git/repository-url.ts';
import { type FetchedSourceTree, fetchedSource } from './fetched-source.ts';
import { withSafeLinks } from './safe-links.ts';

export type { FetchedSourceTree } from './fetched-source.ts';

export interface GitSource {
  repository: string;
  /** Branch, tag or commit; null: the remote's HEAD. */
  ref: string | null;
  flags: readonly Flag[];
}

export interface SourceContext {
  sql: SqlExecutor;
  blobs: BlobStore;
  settings: Settings;
}

/** The tree of a commit, its ref resolved once (cachito.md 4.2). */
export async function fetchGitSource(
  source: GitSource,
  context: SourceContext & { git: DatabaseGitTrees },
): Promise<FetchedSourceTree> {
  const { git, blobs, sql, settings } = context;
  const commit = await git.resolveRef(source.repository, source.ref);
  const whole = await git.snapshot(source.repository, commit);
  const safe = await withSafeLinks(blobs, whole, source.flags);
  const fetched = fetchedSource(safe.snapshot, safe.tree, safe.warnings);
  if (safe.rewritten) {
    const { origin } = parseRepositoryUrl(source.repository, settings);
    await insertSnapshot(
      sql,
      {
        origin: `${origin}#without-unsafe-symlinks`,
        commit,
        submodules: false,
        treeId: fetched.treeId,
        time: fetched.time,
        index: safe.snapshot,
        pack: safe.rewritten.pack,
        size: fetched.size,
        files: fetched.files,
      },
      [safe.rewritten.index],
    );
  }
  return fetched;
}
