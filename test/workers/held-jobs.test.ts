import { EventEmitter, once } from 'node:events';
import { Logger, run, type WorkerEvents } from 'graphile-worker';
import { expect, test } from 'vitest';
import { addJob } from '../../src/domain/database/sql/add-job.ts';
import { HeldJobs } from '../../src/workers/held-jobs.ts';
import { testDatabase } from '../support/database.ts';

test('a job that is locked for a worker and never arrived there is taken by the next one; those it has stay', async () => {
  await using cleanup = new AsyncDisposableStack();
  const database = cleanup.adopt(await testDatabase(), (one) => one.close());
  const { sql, pool } = database;
  const held = new HeldJobs({ pauseMs: 0 });
  const events = new EventEmitter() as WorkerEvents;
  held.watch(events);
  const started = once(events, 'job:start');
  const done = Promise.withResolvers<void>();
  await addJob(sql, 'compact-log', { subjectType: 'log', subjectId: 1 }, { key: 'arrived' });
  const runner = await run({
    ...{ pgPool: pool, events, concurrency: 1, noHandleSignals: true },
    logger: new Logger(() => () => undefined),
    taskList: { 'compact-log': () => done.promise },
  });
  cleanup.defer(async () => {
    done.resolve();
    await runner.stop();
  });
  await started;

  // What a worker leaves whose connection breaks before it knows what it was given.
  await addJob(sql, 'expire-uploads', {}, { key: 'lost' });
  await sql.query(
    `update graphile_worker._private_jobs set locked_at = now(), attempts = attempts + 1,
       locked_by = (select locked_by from graphile_worker.jobs where key = 'arrived') where key = 'lost'`,
  );
  const locked = async (): Promise<unknown[]> =>
    await sql.query('select key, attempts from graphile_worker.jobs where locked_at is not null order by id');
  const both = [
    { key: 'arrived', attempts: 1 },
    { key: 'lost', attempts: 1 },
  ];
  expect(await held.releaseLost(sql)).toEqual([]);
  expect(await locked()).toEqual(both);
  // Taken again meanwhile: that is another matter.
  await sql.query(`update graphile_worker._private_jobs set attempts = 2 where key = 'lost'`);
  expect(await held.releaseLost(sql)).toEqual([]);
  const [{ id } = { id: 0 }] = await sql.query<{ id: number }>(
    `select id from graphile_worker.jobs where key = 'lost'`,
  );
  expect(await held.releaseLost(sql)).toEqual([{ id, attempts: 2, poolId: held.poolIds[0] }]);
  expect(await locked()).toEqual(both.slice(0, 1));
  expect(await held.releaseLost(sql)).toEqual([]);
});
