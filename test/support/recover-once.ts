import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { pino } from 'pino';
import { HeldJobs } from '../../src/workers/held-jobs.ts';
import { Recovery } from '../../src/workers/recovery.ts';
import type { WorkerContext } from '../../src/workers/worker-context.ts';
import { WorkerMetrics } from '../../src/workers/worker-metrics.ts';

/** What a worker that has just started does for those that are gone. */
export async function recoverOnce(
  { settings, database, blobs, hub }: Pick<WorkerContext, 'settings' | 'database' | 'blobs' | 'hub'>,
  workerId: string = randomUUID(),
): Promise<void> {
  const context: WorkerContext = {
    ...{ settings, database, blobs, hub, workerId },
    logger: pino({ level: 'silent' }),
    temporaryRoot: join(settings.dataDir, 'tmp', workerId),
    metrics: new WorkerMetrics(),
    shutdown: new AbortController().signal,
  };
  const recovery = new Recovery(context, new HeldJobs());
  await recovery.start();
  await recovery.stop();
}
