import type { RequestEventData } from '../../bundle-requests/bundle-request.ts';
import { CHANNEL } from '../../events/event.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Raises the request's version and writes the event under it. */
export async function recordRequestEvent<Type extends keyof RequestEventData>(
  sql: SqlExecutor,
  requestId: number,
  type: Type,
  data: RequestEventData[Type],
): Promise<number> {
  const [row] = await sql.query<{ version: number }>(
    `with request as (
       update bundle_requests set version = version + 1 where id = $1 returning version
     ), recorded as (
       insert into events (subject_type, subject_id, version, type, data)
       select 'bundle-request', $1, version, $2, $3::jsonb from request
     )
     select version, pg_notify('${CHANNEL}', 'bundle-request:' || $1) from request`,
    [requestId, type, JSON.stringify(data)],
  );
  return row!.version;
}
