import type { Task } from 'graphile-worker';
import { checkStore } from '../../domain/integrity/check-store.ts';
import type { WorkerContext } from '../worker-context.ts';

/**
 * Hashes the whole store again, as `stowage fsck` does (cachito.md 1.13): what is damaged is not given out any more. A run
 * that a shutdown ends begins anew the next time.
 */
export function scrubStore({ database, blobs, logger, shutdown }: WorkerContext): Task {
  return async () => {
    const report = await checkStore({ database, blobs, reportOnly: false, signal: shutdown });
    for (const { digest, problem, usedBy } of report.damaged) {
      logger.error({ digest, usedBy }, `a blob of the store is ${problem}`);
    }
    logger.info({ blobs: report.blobs, bytes: report.bytes }, 'the store was looked through');
  };
}
