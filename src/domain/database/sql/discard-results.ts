import type { SqlExecutor } from '../sql-executor.ts';

/**
 * Takes from a request what it has made: package data, documents, results of steps, the bundle, the log. Files that
 * nothing else names are removed by the garbage collection. Counts, environment and configuration files stay.
 */
export async function discardResults(sql: SqlExecutor, requestId: number): Promise<void> {
  await sql.query('delete from request_packages where request_id = $1', [requestId]);
  await sql.query('delete from request_components where request_id = $1', [requestId]);
  await sql.query('update bundle_request_steps set result_digest = null where request_id = $1', [requestId]);
  await sql.query(
    `with released as (
       update bundles set last_used_at = now()
       where manifest_digest = (select bundle_digest from bundle_requests where id = $1)
     )
     update bundle_requests
     set bundle_digest = null, cyclonedx_digest = null, spdx_digest = null, provenance_digest = null
     where id = $1`,
    [requestId],
  );
}

/** Empties a log and closes it: what a fenced-off writer still sends is dropped. */
export async function discardLog(sql: SqlExecutor, subjectType: string, subjectId: number): Promise<void> {
  await sql.query(
    `with emptied as (
       insert into log_streams as s (subject_type, subject_id, closed, closed_at) values ($1, $2, true, 'infinity')
       on conflict (subject_type, subject_id) do update
         set closed = true, closed_at = 'infinity', lines = 0, compacted_lines = 0, digest = null
       returning id
     )
     delete from log_pages where stream_id in (select id from emptied)`,
    [subjectType, subjectId],
  );
}
