import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

export interface NewSnapshot {
  origin: string;
  commit: string;
  submodules: boolean;
  treeId: string;
  time: number;
  index: Digest;
  pack: Digest;
  size: number;
  files: number;
}

/** The snapshot's index blob, if the commit is known; notes its use. */
export async function findSnapshot(
  sql: SqlExecutor,
  origin: string,
  commit: string,
  submodules: boolean,
): Promise<Digest | null> {
  const rows = await sql.query<{ digest: Digest }>(
    `update source_snapshots set last_used_at = now()
     where origin = $1 and commit = $2 and submodules = $3 returning index_digest as digest`,
    [origin, commit, submodules],
  );
  return rows[0]?.digest ?? null;
}

/** A commit has one tree: writing it twice gives the same blobs. */
export async function insertSnapshot(sql: SqlExecutor, snapshot: NewSnapshot): Promise<void> {
  await sql.query(
    `insert into source_snapshots (origin, commit, submodules, tree_id, commit_time, index_digest, pack_digest, size, files)
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
    ],
  );
}
