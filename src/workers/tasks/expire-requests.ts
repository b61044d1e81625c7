import type { Task } from 'graphile-worker';
import { expireRequests } from '../../domain/bundle-requests/expire.ts';
import { foldTallies } from '../../domain/database/sql/tallies.ts';
import type { WorkerContext } from '../worker-context.ts';

/** Makes requests stale whose time is over (cachito.md 2.4), and adds up what has become of all of them. */
export function expireRequestsOf({ database, settings, logger, shutdown }: WorkerContext): Task {
  return async () => {
    const { expired, failures } = await expireRequests(database, settings, shutdown);
    for (const { id, error } of failures)
      logger.warn({ err: error, request: id }, 'a request did not expire');
    if (expired.length > 0) logger.info({ requests: expired.length }, 'requests expired');
    await foldTallies(database);
  };
}
