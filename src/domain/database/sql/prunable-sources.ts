import type { SqlExecutor } from '../sql-executor.ts';

/** A stored source with the newest request for its commit. */
export interface PrunableSource {
  id: number;
  origin: string;
  commit: string;
  /** Bytes of its files, unpacked. */
  size: number;
  requestId: number;
  requestedAt: Date;
}

/**
 * A request is one for a source when it was made from it, has found its commit, or has named it. A source that something
 * else than requests used (a dependency from git) is as old as that use. Requests that are forgotten by now still count.
 */
const PRUNABLE = `
  select s.id, s.origin, s.commit, s.size, newest.id as "requestId", newest.created_at as "requestedAt"
  from source_snapshots s, lateral (
    select r.id, r.created_at from bundle_requests r
    where r.snapshot_id = s.id or r.commit = s.commit or r.requested_ref = s.commit
    union all
    select f.request_id, f.requested_at from forgotten_requests f where f.commit = s.commit
    order by id desc limit 1
  ) newest
  where newest.created_at < $1 and s.last_used_at < $1`;

/** Sources whose newest request is from before a time, the oldest first. Those without any request are none. */
export async function findPrunableSources(
  sql: SqlExecutor,
  before: Date,
  limit: number | null,
): Promise<PrunableSource[]> {
  return await sql.query<PrunableSource>(
    `${PRUNABLE} order by newest.created_at, s.id limit coalesce($2::bigint, 9223372036854775807)`,
    [before, limit],
  );
}

export async function isPrunable(sql: SqlExecutor, id: number, before: Date): Promise<boolean> {
  return (await sql.query(`${PRUNABLE} and s.id = $2`, [before, id])).length > 0;
}
