import type { Settings } from '../../domain/config.ts';
import { insertSnapshot, type SubmoduleDepth } from '../../domain/database/sql/source-snapshots.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import type { Flag } from '../../domain/packages/package.ts';
import { outsideError } from '../../domain/sources/follow-path.ts';
import { omitEntries, openSnapshot } from '../../domain/sources/source-snapshot.ts';
import { unsafeLinks } from '../../domain/sources/unsafe-links.ts';
import type { BlobStore, Digest } from '../../domain/storage/blob-store.ts';
import { type FetchedSourceTree, fetchedSource, shortList } from './fetched-source.ts';

export interface SourceContext {
  sql: SqlExecutor;
  blobs: BlobStore;
  settings: Settings;
}

/** A snapshot as it was fetched, and the names under which it is kept. */
export interface RawSource {
  snapshot: Digest;
  origin: string;
  commit: string;
  submodules: SubmoduleDepth;
  flags: readonly Flag[];
  warnings: readonly string[];
}

/**
 * The source with links that all stay inside: others fail the request, or are left out with the flag
 * `remove-unsafe-symlinks`. Loops lead nowhere and stay (cachito.md 4.2).
 */
export async function safeSource(
  { snapshot, origin, commit, submodules, flags, warnings }: RawSource,
  { sql, blobs }: SourceContext,
): Promise<FetchedSourceTree> {
  const tree = await openSnapshot(blobs, snapshot);
  const unsafe = unsafeLinks(tree);
  if (unsafe.length === 0) return fetchedSource(snapshot, tree, warnings);
  if (!flags.includes('remove-unsafe-symlinks')) throw outsideError(unsafe[0]!, unsafe);

  const { index, pack } = await omitEntries(blobs, snapshot, new Set(unsafe));
  const safe = fetchedSource(index.digest, await openSnapshot(blobs, index.digest), [
    ...warnings,
    `Removed symbolic links that leave the source: ${shortList(unsafe)}`,
  ]);
  const { treeId, time, size, files } = safe;
  const row = { origin: `${origin}#without-unsafe-symlinks`, commit, submodules, treeId, time };
  await insertSnapshot(sql, { ...row, index: index.digest, pack, size, files }, [index]);
  return safe;
}
