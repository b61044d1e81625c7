import type { SqlExecutor } from '../sql-executor.ts';

/** Removes images in which nothing has been for so many seconds. Returns how many. */
export async function removeUnusedImages(sql: SqlExecutor, graceSeconds: number): Promise<number> {
  const rows = await sql.query(
    `delete from images i
     where i.modified_at < now() - make_interval(secs => $1)
       and not exists (select from manifests m where m.image_id = i.id)
       and not exists (select from image_blobs l where l.image_id = i.id)
       and not exists (select from upload_sessions s where s.image_id = i.id)
     returning 1`,
    [graceSeconds],
  );
  return rows.length;
}
