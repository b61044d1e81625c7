import type { Database } from '../database/database.ts';
import type { Digest, StoredBlob } from '../storage/blob-store.ts';
import { addStepJobs, markQueued } from './request-queue.ts';
import { finishStep, type StepLease } from './run-step.ts';

/**
 * Ends one `resolve-packages` step. `result` names the blob with everything that was found (see step-result.ts). The
 * last step to finish, seen under the request's row lock, queues the assembly.
 */
export async function recordPackages(
  database: Database,
  lease: StepLease,
  result: Digest,
  blobs: readonly StoredBlob[],
): Promise<void> {
  await finishStep(database, lease, blobs, async (tx, request, steps) => {
    await tx.sql.query('update bundle_request_steps set result_digest = $2 where id = $1', [
      lease.step.id,
      result,
    ]);
    const left = steps.filter((step) => step.task === 'resolve-packages' && step.state !== 'succeeded');
    if (left.length > 0) return;
    await markQueued(tx.sql, request.id, 'assemble-bundle', null);
    await addStepJobs(tx.sql, request);
  });
}
