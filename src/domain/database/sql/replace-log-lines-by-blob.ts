import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Only if the log is still closed with as many lines: a retry may have reopened it meanwhile. */
export async function replaceLogLinesByBlob(
  sql: SqlExecutor,
  streamId: number,
  lines: number,
  digest: Digest,
): Promise<void> {
  await sql.query(
    `with compacted as (
       update log_streams set digest = $3, compacted_lines = $2
       where id = $1 and lines = $2 and closed returning id
     )
     delete from log_pages where stream_id in (select id from compacted)`,
    [streamId, lines, digest],
  );
}
