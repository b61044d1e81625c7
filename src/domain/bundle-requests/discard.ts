import { closeLog } from '../database/sql/close-log.ts';
import { discardLog, discardResults } from '../database/sql/discard-results.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';

/**
 * What stale means (cachito.md 1.9): archive, package data and log are gone; who follows the log is told its end. Part
 * of the change of state itself, so that there is no stale request that still has them.
 */
export async function discardRequest(sql: SqlExecutor, requestId: number): Promise<void> {
  const log = { subjectType: 'bundle-request', subjectId: requestId } as const;
  await discardResults(sql, requestId);
  await discardLog(sql, log.subjectType, log.subjectId);
  await closeLog(sql, log);
}
