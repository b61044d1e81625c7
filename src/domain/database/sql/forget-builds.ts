import type { SqlExecutor } from '../sql-executor.ts';

/**
 * Condition on `image_builds b`: it is over since before `$1`, its version has a newer one, and the registry does not have its
 * result any more.
 */
const FORGETTABLE = `b.state in ('succeeded', 'failed', 'cancelled') and b.finished_at < $1
  and exists (select from image_builds newer where newer.version_id = b.version_id and newer.id > b.id)
  and not exists (
    select from published_versions v join published_images p on p.id = v.image_id
    join images i on i.path = p.path join manifests m on m.image_id = i.id
    where v.id = b.version_id and m.digest = b.digest
  )`;

/** Deletes the oldest of them, with their logs and events; how many. */
export async function forgetBuilds(sql: SqlExecutor, before: Date, limit: number): Promise<number> {
  const rows = await sql.query<{ id: number }>(
    `select b.id from image_builds b where ${FORGETTABLE} order by b.finished_at limit $2
     for update of b skip locked`,
    [before, limit],
  );
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0) return 0;
  await sql.query(
    `with event as (
       delete from events where subject_type = 'image-build' and subject_id = any($1::bigint[])
     ), log as (
       delete from log_streams where subject_type = 'image-build' and subject_id = any($1::bigint[])
     )
     delete from image_builds where id = any($1::bigint[])`,
    [ids],
  );
  return ids.length;
}

export async function countForgettableBuilds(sql: SqlExecutor, before: Date): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from image_builds b where ${FORGETTABLE}`,
    [before],
  );
  return row!.count;
}
