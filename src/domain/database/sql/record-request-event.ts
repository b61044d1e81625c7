import type { RequestEventData } from '../../bundle-requests/bundle-request.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { recordVersionedEvent } from './record-versioned-event.ts';

/** Raises the request's version and writes the event under it. The caller knows that the request is there. */
export async function recordRequestEvent<Type extends keyof RequestEventData>(
  sql: SqlExecutor,
  requestId: number,
  type: Type,
  data: RequestEventData[Type],
): Promise<number> {
  return (await recordVersionedEvent(sql, { type: 'bundle-request', id: requestId }, { type, data }))!;
}
