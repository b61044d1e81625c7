import type { Database } from '../database/database.ts';
import { lockRequest } from '../database/sql/bundle-request-rows.ts';
import {
  findExpiredRequests,
  isExpired,
  type RequestLifetimes,
} from '../database/sql/find-expired-requests.ts';
import { changeState } from './change-state.ts';
import { endRequest } from './run-step.ts';
import { EXPIRED_REASON } from './state-reasons.ts';

const PAGE = 500;

export interface Expiry {
  expired: number[];
  failures: { id: number; error: unknown }[];
}

/**
 * Makes every request stale whose time is over (cachito.md 2.4). Safe to run at any time, also twice at once. One that
 * cannot be changed does not keep the others.
 */
export async function expireRequests(
  database: Database,
  lifetimes: RequestLifetimes,
  signal: AbortSignal,
): Promise<Expiry> {
  const result: Expiry = { expired: [], failures: [] };
  for (let after = 0; ; ) {
    const ids = await findExpiredRequests(database.sql, lifetimes, after, PAGE);
    for (const id of ids) {
      if (signal.aborted) return result;
      try {
        if (await expireRequest(database, lifetimes, id)) result.expired.push(id);
      } catch (error) {
        result.failures.push({ id, error });
      }
    }
    if (ids.length < PAGE) return result;
    after = ids.at(-1)!;
  }
}

/** False when something happened to the request since somebody saw that it was expired. */
async function expireRequest(database: Database, lifetimes: RequestLifetimes, id: number): Promise<boolean> {
  return await database.transaction(async (tx) => {
    const request = await lockRequest(tx.sql, id);
    if (!(await isExpired(tx.sql, lifetimes, id))) return false;
    const wasRunning = request.state === 'in_progress';
    await changeState(tx.sql, request, 'stale', EXPIRED_REASON);
    if (wasRunning) await endRequest(tx, request);
    return true;
  });
}
