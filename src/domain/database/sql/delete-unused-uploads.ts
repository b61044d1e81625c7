import type { SqlExecutor } from '../sql-executor.ts';

/**
 * Uploads that are older than so many seconds and that no request, and no build that waits, runs or ended since then,
 * needs any more; how many. Their bytes are freed by the garbage collection.
 */
export async function deleteUnusedUploads(sql: SqlExecutor, seconds: number): Promise<number> {
  const rows = await sql.query(
    `delete from uploads u
     where u.created_at < now() - make_interval(secs => $1)
       and not exists (select from bundle_requests r where r.upload_id = u.id)
       and not exists (
         select from image_builds b where b.upload_id = u.id
           and (b.state in ('queued', 'running') or b.finished_at >= now() - make_interval(secs => $1))
       )
     returning u.id`,
    [seconds],
  );
  return rows.length;
}
