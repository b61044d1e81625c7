import { pino } from 'pino';
import { expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { pauseTask, resumeTask } from '../../../src/domain/queue/paused-tasks.ts';
import { applyRetentionOf } from '../../../src/workers/tasks/apply-retention.ts';
import type { WorkerContext } from '../../../src/workers/worker-context.ts';
import { WorkerMetrics } from '../../../src/workers/worker-metrics.ts';
import { testDatabase } from '../../support/database.ts';

test('what is removed is counted in the log and in the metrics; nothing is while the task is paused', async () => {
  const database = await testDatabase();
  try {
    await database.sql.query(
      `insert into bundle_requests (repository, rules, package_managers, state, state_reason, updated_at)
       select 'r', 'native', '{}', 'failed', '', now() - interval '20 days' from generate_series(1, 110)`,
    );
    const lines: string[] = [];
    const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
    const metrics = new WorkerMetrics();
    const settings = readSettings({ STOWAGE_REQUEST_RETENTION: '10d' });
    const ending = new AbortController();
    const context = { database, settings, logger, metrics, shutdown: ending.signal };
    const run = () => applyRetentionOf(context as unknown as WorkerContext)({}, undefined as never);

    await pauseTask(database, SYSTEM, 'apply-retention', null);
    await run();
    expect([lines, metrics.snapshot()]).toEqual([[], {}]);

    await resumeTask(database, SYSTEM, 'apply-retention');
    await run();
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: 30, msg: 'retention applied', removed: { requests: 110 } },
    ]);
    expect(metrics.snapshot()).toEqual({ 'stowage_retention_removed_total{rule="requests"}': 110 });
  } finally {
    await database.close();
  }
});
