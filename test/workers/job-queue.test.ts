import { setImmediate } from 'node:timers/promises';
import type { Task } from 'graphile-worker';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { readSettings } from '../../src/domain/config.ts';
import { openDatabase } from '../../src/domain/database/database.ts';
import { addJob } from '../../src/domain/database/sql/add-job.ts';
import { EventHub } from '../../src/domain/events/event-hub.ts';
import { TASKS, type TaskName } from '../../src/domain/queue/tasks.ts';
import { HeldJobs } from '../../src/workers/held-jobs.ts';
import { JobQueue } from '../../src/workers/job-queue.ts';
import { PausedTasks } from '../../src/workers/paused-tasks.ts';
import type { WorkerContext } from '../../src/workers/worker-context.ts';
import { WorkerMetrics } from '../../src/workers/worker-metrics.ts';
import { CuttableConnection } from '../support/cuttable-connection.ts';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { MemoryBlobStore } from '../support/memory-blob-store.ts';

/** A queue with two places whose database can be cut off. Its jobs are named, and run until they are let go. */
class Bench implements AsyncDisposable {
  readonly connection: CuttableConnection;
  /** Every start of a job, in order. */
  readonly started: string[] = [];
  readonly held = new HeldJobs({ pauseMs: 0 });
  readonly metrics = new WorkerMetrics();
  /** What the queue warned of. */
  readonly warnings: string[] = [];
  renewals = 0;
  queue!: JobQueue;
  readonly direct: Awaited<ReturnType<typeof openDatabase>>;
  readonly #database: Awaited<ReturnType<typeof openDatabase>>;
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();
  readonly #close: AsyncDisposableStack;

  private constructor(
    connection: CuttableConnection,
    [direct, database]: [Bench['direct'], Bench['direct']],
    close: AsyncDisposableStack,
  ) {
    this.connection = connection;
    this.direct = direct;
    this.#database = database;
    this.#close = close;
  }

  static async start(): Promise<Bench> {
    await using opening = new AsyncDisposableStack();
    const directUrl = await createTestDatabase();
    opening.defer(() => dropTestDatabase(directUrl));
    const direct = opening.adopt(await openDatabase({ url: directUrl }), (one) => one.close());
    const { url, connection } = await CuttableConnection.to(directUrl);
    opening.defer(() => connection.close());
    const database = opening.adopt(await openDatabase({ url, connections: 5 }), (one) => one.close());
    const bench = new Bench(connection, [direct, database], opening.move());
    await bench.#start();
    return bench;
  }

  async #start(): Promise<void> {
    const context: WorkerContext = {
      settings: readSettings({}),
      database: this.#database,
      blobs: new MemoryBlobStore(),
      hub: new EventHub(this.#database),
      logger: pino({ level: 'warn' }, { write: (line) => this.warnings.push(JSON.parse(line).msg) }),
      workerId: 'a worker',
      temporaryRoot: '/nonexistent',
      metrics: this.metrics,
      shutdown: new AbortController().signal,
    };
    const work: Task = async (payload) => {
      const { name } = payload as { name: string };
      this.started.push(name);
      await this.#gate(name).promise;
    };
    this.queue = await JobQueue.start(context, {
      tasks: ['compact-log'],
      list: Object.fromEntries(TASKS.map((task) => [task, work])) as Record<TaskName, Task>,
      concurrency: 2,
      paused: new PausedTasks(context),
      held: this.held,
      onRenewed: async () => {
        this.renewals += 1;
      },
    });
  }

  async add(name: string): Promise<void> {
    await addJob(this.direct.sql, 'compact-log', { name } as never, { key: name });
  }

  letGo(name: string): void {
    this.#gate(name).resolve();
  }

  async left(): Promise<string[]> {
    const jobs = await this.direct.sql.query<{ key: string }>(
      'select key from graphile_worker.jobs order by key',
    );
    return jobs.map(({ key }) => key);
  }

  #gate(name: string): PromiseWithResolvers<void> {
    const gate = this.#gates.get(name) ?? Promise.withResolvers<void>();
    this.#gates.set(name, gate);
    return gate;
  }

  /** The database goes away while it should be told that a job is over. */
  async lose(name: string): Promise<void> {
    this.connection.cut();
    this.letGo(name);
    await expect.poll(() => this.warnings).toContain('the queue was lost');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gate of this.#gates.values()) gate.resolve();
    await this.queue?.stop();
    await this.#close.disposeAsync();
  }
}

test('a queue that was lost is renewed: jobs go on, none is begun twice, and all together are no more than the places', async () => {
  await using bench = await Bench.start();
  await bench.add('long');
  await bench.add('short');
  await expect.poll(() => bench.started).toEqual(['long', 'short']);
  await bench.lose('short');
  await bench.add('next');
  bench.connection.mend();
  await expect.poll(() => bench.renewals).toBe(1);
  // One place is left: what comes then waits.
  await expect.poll(() => bench.started).toEqual(['long', 'short', 'next']);
  await bench.add('last');
  bench.letGo('next');
  await expect.poll(() => bench.started).toEqual(['long', 'short', 'next', 'last']);
  await bench.add('beyond');
  bench.letGo('beyond');
  bench.letGo('long');
  // The place of the old pool is free now.
  await expect.poll(() => bench.started).toEqual(['long', 'short', 'next', 'last', 'beyond']);
  await expect.poll(() => bench.left()).toEqual(['last', 'short']);
  expect(bench.metrics.snapshot()).toEqual({ stowage_queue_renewals_total: 1 });

  // The end of a job that nobody was told of.
  const { sql } = bench.direct;
  expect(await bench.held.releaseLost(sql)).toEqual([]);
  expect(await bench.held.releaseLost(sql)).toMatchObject([{ attempts: 1 }]);
  await expect.poll(() => bench.left()).toEqual(['last']);
  expect(bench.started.filter((name) => name === 'short')).toEqual(['short', 'short']);
  // Nothing is left of the first pool.
  await bench.held.releaseLost(sql);
  expect(bench.held.poolIds).toHaveLength(1);
});

test('a queue stops while it is being renewed, when its last job is over', async () => {
  await using bench = await Bench.start();
  await bench.add('long');
  await bench.add('short');
  await expect.poll(() => bench.started).toEqual(['long', 'short']);
  await bench.lose('short');
  await expect.poll(() => bench.warnings).toContain('the queue cannot be renewed yet');
  let isStopped = false;
  const stopped = bench.queue.stop().then(() => {
    isStopped = true;
  });
  await setImmediate();
  expect(isStopped).toBe(false);
  bench.letGo('long');
  await stopped;
  expect(bench.renewals).toBe(0);
});

test('a queue that cannot be renewed is broken', async () => {
  await using bench = await Bench.start();
  await bench.add('short');
  await expect.poll(() => bench.started).toEqual(['short']);
  await bench.lose('short');
  await bench.direct.sql.query('insert into graphile_worker.migrations (id, breaking) values (999999, true)');
  bench.connection.mend();
  await bench.queue.broken;
  expect(bench.renewals).toBe(0);
});
