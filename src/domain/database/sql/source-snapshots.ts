import type { Digest, StoredBlob } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Which submodules lie in a snapshot: none, those of the repository itself, or theirs as well. */
export type SubmoduleDepth = 'none' | 'direct' | 'recursive';

export interface NewSnapshot {
  origin: string;
  commit: string;
  submodules: SubmoduleDepth;
  treeId: string;
  time: number;
  index: Digest;
  pack: Digest;
  size: number;
  files: number;
}

/** The snapshot's blobs, if the commit is known; notes its use. */
export async function findSnapshot(
  sql: SqlExecutor,
  origin: string,
  commit: string,
  submodules: SubmoduleDepth,
): Promise<{ index: Digest; pack: Digest } | null> {
  const rows = await sql.query<{ index: Digest; pack: Digest }>(
    `update source_snapshots set last_used_at = now()
     where origin = $1 and commit = $2 and submodules = $3
     returning index_digest as index, pack_digest as pack`,
    [origin, commit, submodules],
  );
  return rows[0] ?? null;
}

/**
 * A commit has one tree: writing it twice gives the same blobs. The blobs' own rows come with it in one statement, so
 * that the garbage collection never sees them without a name.
 */
export async function insertSnapshot(
  sql: SqlExecutor,
  snapshot: NewSnapshot,
  blobs: readonly StoredBlob[],
): Promise<void> {
  await sql.query(
    `with named as (
       insert into blobs (digest, size, crc32)
       select distinct on (digest) digest, size, crc32
       from unnest($10::text[], $11::bigint[], $12::bigint[]) as blob (digest, size, crc32)
       order by digest
       on conflict do nothing
     )
     insert into source_snapshots (origin, commit, submodules, tree_id, commit_time, index_digest, pack_digest, size, files)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     on conflict (origin, commit, submodules) do update
       set index_digest = excluded.index_digest, pack_digest = excluded.pack_digest, last_used_at = now()`,
    [
      snapshot.origin,
      snapshot.commit,
      snapshot.submodules,
      snapshot.treeId,
      snapshot.time,
      snapshot.index,
      snapshot.pack,
      snapshot.size,
      snapshot.files,
      blobs.map((blob) => blob.digest),
      blobs.map((blob) => blob.size),
      blobs.map((blob) => blob.crc32),
    ],
  );
}
