import type { Database, Transaction } from '../database/database.ts';
import { findSteps } from '../database/sql/bundle-request-rows.ts';
import { reopenLog } from '../database/sql/close-log.ts';
import { ConflictError } from '../errors.ts';
import type { Principal } from '../identity/principal.ts';
import { currentSpan } from '../tracing/span.ts';
import type { BundleRequest } from './bundle-request.ts';
import { changeRequest } from './change-request.ts';
import { changeState } from './change-state.ts';
import { enterQueue, markQueued, type QueueSettings } from './request-queue.ts';
import { reasonOf } from './state-reasons.ts';

/**
 * After that time the garbage collection may have taken files that only the result of a step names; it waits for an hour,
 * see src/workers/tasks/collect-garbage.ts.
 */
const RESULTS_KEPT = '50 minutes';

/**
 * Runs a failed or cancelled request again: what had succeeded is kept for a while (unless the source was pruned
 * meanwhile), everything else starts anew. The attempt counter fences off whatever is left of the earlier run.
 */
export async function retryRequest(
  database: Database,
  settings: QueueSettings,
  principal: Principal,
  id: number,
): Promise<BundleRequest> {
  return await changeRequest(database, principal, id, async (tx, request) => {
    if (request.state !== 'failed' && request.state !== 'cancelled') {
      throw new ConflictError(
        `Request ${id} is ${request.state}; only a failed or cancelled request can be retried`,
      );
    }
    await reopenLog(tx.sql, { subjectType: 'bundle-request', subjectId: id });
    await changeState(tx.sql, request, 'in_progress', reasonOf('retried', principal));
    await tx.sql.query('update bundle_requests set attempt = attempt + 1, trace_parent = $2 where id = $1', [
      id,
      currentSpan()?.traceparent ?? null,
    ]);
    await tx.sql.query(
      `update bundle_request_steps
       set state = 'waiting', worker_id = null, started_at = null, finished_at = null, progress = '{}'
       where request_id = $1 and (state <> 'succeeded' or $2
         or (result_digest is not null and finished_at < now() - $3::interval))`,
      [id, request.snapshotId === null, RESULTS_KEPT],
    );
    await queueNext(tx, id);
    await enterQueue(tx.sql, settings, request);
  });
}

async function queueNext({ sql }: Transaction, id: number): Promise<void> {
  const steps = await findSteps(sql, id);
  const waiting = steps.filter((step) => step.state === 'waiting');
  const source = waiting.find((step) => step.task === 'fetch-source');
  if (source) return await markQueued(sql, id, 'fetch-source', null);
  const managers = waiting.filter((step) => step.task === 'resolve-packages');
  for (const step of managers) await markQueued(sql, id, step.task, step.packageManager);
  if (managers.length === 0) await markQueued(sql, id, 'assemble-bundle', null);
}
