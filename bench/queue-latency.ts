import { type BenchContext, type Figure, percentile } from './benchmark.ts';
import { newRepository } from './prefetch.ts';
import { startPrefetchStack } from './prefetch-stack.ts';

const SAMPLES = 200;
const QUICK_SAMPLES = 50;
const WARM_UP = 10;

/**
 * Requests for a source only, one after the other, so that the system is idle when a job is added: from the time at which
 * the transaction marks the step queued to the time at which the worker has marked it running. Both are the database's.
 */
export async function queueLatency(context: BenchContext): Promise<Figure[]> {
  const repository = newRepository(context, { 'README.md': 'a source\n' });
  const stack = await startPrefetchStack(context.stage, {});
  const samples = context.quick ? QUICK_SAMPLES : SAMPLES;
  for (let index = 0; index < WARM_UP + samples; index += 1) {
    await stack.prefetch({ repository: `file://${repository.path}`, packageManagers: [] });
  }
  const rows = await stack.database.sql.query<{ milliseconds: number }>(
    `select extract(epoch from started_at - queued_at)::float8 * 1000 as milliseconds
     from bundle_request_steps where task = 'fetch-source' order by id desc limit $1`,
    [samples],
  );
  await stack.close();
  const waits = rows.map((row) => row.milliseconds);
  const figure = { unit: 'ms', yardstick: null } as const;
  const budget = (limit: number) => ({ of: 'value', comparison: 'at most', limit }) as const;
  return [
    { ...figure, name: 'job, enqueue to start, p50', measured: percentile(waits, 50), budget: budget(10) },
    { ...figure, name: 'job, enqueue to start, p99', measured: percentile(waits, 99), budget: budget(50) },
  ];
}
