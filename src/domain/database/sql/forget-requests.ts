import type { SqlExecutor } from '../sql-executor.ts';

/** Condition on `bundle_requests r`: it is over since before `$1`, has no bundle, and no build of an image was made from it. */
const FORGETTABLE = `r.state in ('stale', 'failed', 'cancelled') and r.updated_at < $1
  and not exists (select from image_builds b where b.request_id = r.id)`;

/**
 * Deletes the oldest of them, with their histories, events, logs, packages and components; how many. Their files are what the
 * garbage collection looks for. A stored source stays as old as its newest request was.
 */
export async function forgetRequests(sql: SqlExecutor, before: Date, limit: number): Promise<number> {
  const rows = await sql.query<{ id: number }>(
    `select r.id from bundle_requests r where ${FORGETTABLE} order by r.updated_at limit $2
     for update of r skip locked`,
    [before, limit],
  );
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0) return 0;
  await sql.query(
    `insert into forgotten_requests (commit, request_id, requested_at)
     select distinct on (s.commit) s.commit, r.id, r.created_at
     from bundle_requests r join source_snapshots s on s.commit in (r.commit, r.requested_ref)
     where r.id = any($1::bigint[]) order by s.commit, r.id desc
     on conflict (commit) do update set request_id = excluded.request_id, requested_at = excluded.requested_at
     where excluded.request_id > forgotten_requests.request_id`,
    [ids],
  );
  await sql.query(
    `with bundle as (
       update bundles set last_used_at = now()
       where manifest_digest in (select bundle_digest from bundle_requests where id = any($1::bigint[]))
     ), event as (
       delete from events where subject_type = 'bundle-request' and subject_id = any($1::bigint[])
     ), log as (
       delete from log_streams where subject_type = 'bundle-request' and subject_id = any($1::bigint[])
     )
     delete from bundle_requests where id = any($1::bigint[])`,
    [ids],
  );
  return ids.length;
}

export async function countForgettableRequests(sql: SqlExecutor, before: Date): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from bundle_requests r where ${FORGETTABLE}`,
    [before],
  );
  return row!.count;
}
