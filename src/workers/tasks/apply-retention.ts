import type { Task } from 'graphile-worker';
import { forgetWorkers } from '../../domain/database/sql/forget-workers.ts';
import { isTaskPaused } from '../../domain/database/sql/paused-tasks.ts';
import { applyRetention } from '../../domain/retention/apply-retention.ts';
import type { WorkerContext } from '../worker-context.ts';

/** The rest is for the next run: the queue gives a job that takes hours to somebody else. */
const MOST_MS = 30 * 60_000;

/** Forgets what is older than its policy allows; see the domain's table of rules. */
export function applyRetentionOf({ database, settings, logger, metrics, shutdown }: WorkerContext): Task {
  return async () => {
    const until = Date.now() + MOST_MS;
    const counts = await applyRetention(database, settings, {
      goesOn: async () =>
        !shutdown.aborted && Date.now() < until && !(await isTaskPaused(database.sql, 'apply-retention')),
      onRemoved: (rule, count) => metrics.add(`stowage_retention_removed_total{rule="${rule}"}`, count),
    });
    await forgetWorkers(database.sql);
    const removed = counts.filter(({ count }) => count > 0).map(({ rule, count }) => [rule, count]);
    if (removed.length > 0) logger.info({ removed: Object.fromEntries(removed) }, 'retention applied');
  };
}
