import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import { cancelRequest } from '../../src/domain/bundle-requests/cancel.ts';
import { addJob } from '../../src/domain/database/sql/add-job.ts';
import { findSteps } from '../../src/domain/database/sql/bundle-request-rows.ts';
import { insertWorker } from '../../src/domain/database/sql/workers.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { findLiveWorkers } from '../../src/domain/live-workers.ts';
import { discardDeadJob, listDead, retryDeadJob } from '../../src/domain/queue/dead-jobs.ts';
import { findTaskQueues, pauseTask, resumeTask } from '../../src/domain/queue/paused-tasks.ts';
import { TestRepository } from '../support/git-repository.ts';
import { recoverOnce } from '../support/recover-once.ts';
import { startWorkerStack, type WorkerStack } from '../support/worker-stack.ts';

const PAGE = { after: null, before: null, limit: 10, inverted: false };

describe('the jobs of a worker', () => {
  let stack: WorkerStack;
  const repository = new TestRepository({ 'README.md': 'a source\n' });
  afterEach(() => stack?.close());

  const submit = () => stack.submit({ repository: repository.path, packageManagers: [] });
  const statesOf = async (requestId: number): Promise<string[]> =>
    (await findSteps(stack.database.sql, requestId)).map(({ task, state }) => `${task} ${state}`);
  /** Resolves when a job that comes after all others has been done. */
  const untilOthersPassed = async (): Promise<void> => {
    const { sql } = stack.database;
    const subject = { subjectType: 'bundle-request', subjectId: 0 };
    await addJob(sql, 'compact-log', subject, { key: 'last', priority: 1_000 });
    await expect.poll(() => sql.query(`select from graphile_worker.jobs where key = 'last'`)).toEqual([]);
  };
  /** A request that is not assembled, although everything else has been done. */
  const submitUnassembled = async (): Promise<number> => {
    const { id } = await submit();
    const states = ['fetch-source succeeded', 'assemble-bundle queued'];
    await expect.poll(() => statesOf(id)).toEqual(states);
    await untilOthersPassed();
    expect(await statesOf(id)).toEqual(states);
    return id;
  };

  test('of a paused task wait, others go on, and all is done when it is resumed', async () => {
    stack = await startWorkerStack();
    const { database } = stack;
    await pauseTask(database, SYSTEM, 'assemble-bundle', 'the disk is being changed');
    // The worker has heard of it when it passes over such a job.
    const id = await submitUnassembled();
    const queue = (await findTaskQueues(database, SYSTEM)).find(({ task }) => task === 'assemble-bundle');
    expect(queue).toMatchObject({
      ...{ ready: 1, running: 0, failed: 0 },
      pause: { reason: 'the disk is being changed', pausedBy: null, pausedAt: expect.any(Date) },
    });
    await resumeTask(database, SYSTEM, 'assemble-bundle');
    expect(await stack.untilFinal(id)).toMatchObject({ state: 'complete' });
    await expect(pauseTask(database, SYSTEM, 'resolve', null)).rejects.toThrow(
      /^"resolve" is not a task; tasks are fetch-source, /,
    );
  });

  test('are those of the tasks that it is told to take', async () => {
    stack = await startWorkerStack({
      STOWAGE_WORKER_TASKS: 'fetch-source,compact-log',
      STOWAGE_TASK_CONCURRENCY: 'compact-log=1',
      STOWAGE_WORKER_CONCURRENCY: '3',
    });
    await submitUnassembled();
    expect(await findLiveWorkers(stack.database, SYSTEM)).toMatchObject([
      {
        id: stack.worker.id,
        tasks: ['fetch-source', 'compact-log'],
        concurrency: 4,
        drainingAt: null,
        jobs: [],
      },
    ]);
  });

  /** Never answers. */
  const silentServer = async (): Promise<{ url: string; asked: Promise<void>; server: Server }> => {
    const { promise: asked, resolve } = Promise.withResolvers<void>();
    const server = createServer(() => resolve()).listen(0, '127.0.0.1');
    await new Promise((listening) => server.once('listening', listening));
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, server };
  };

  test('that a stopping worker lets go of wait again at once, without having lost an attempt', async () => {
    const { url, asked, server } = await silentServer();
    const hanging = new TestRepository({
      'package.json': JSON.stringify({ name: 'app', version: '1.0.0' }),
      'package-lock.json': JSON.stringify({
        name: 'app',
        version: '1.0.0',
        lockfileVersion: 3,
        packages: {
          '': { name: 'app', version: '1.0.0' },
          'node_modules/a': {
            version: '1.0.0',
            resolved: `${url}/a/-/a-1.0.0.tgz`,
            integrity: `sha512-${Buffer.alloc(64).toString('base64')}`,
          },
        },
      }),
    });
    stack = await startWorkerStack({ STOWAGE_NPM_REGISTRY: url });
    const { database } = stack;
    const request = await stack.submit({ repository: hanging.path, packageManagers: ['npm'] });
    await asked;
    expect(await findLiveWorkers(database, SYSTEM)).toMatchObject([
      { jobs: [{ task: 'resolve-packages', requestId: request.id, packageManager: 'npm', attempt: 1 }] },
    ]);
    await stack.worker.stop(0);
    server.closeAllConnections();
    server.close();
    expect(await statesOf(request.id)).toEqual([
      'fetch-source succeeded',
      'resolve-packages queued',
      'assemble-bundle waiting',
    ]);
    const jobs = await database.sql.query(
      `select task_identifier as task, attempts, locked_by as "lockedBy", run_at <= now() as "isDue"
       from graphile_worker.jobs where key like 'step:%'`,
    );
    expect(jobs).toEqual([{ task: 'resolve-packages', attempts: 0, lockedBy: null, isDue: true }]);
    expect(await stack.log(request.id)).toContain(
      'info resolve-packages.npm: the worker stops: another one begins this step anew',
    );
    expect(await findLiveWorkers(database, SYSTEM)).toEqual([]);
  });

  test('that end one worker after the other end their request, and can be done again', async () => {
    stack = await startWorkerStack();
    await stack.worker.stop(0);
    const { database } = stack;
    const { sql } = database;
    const request = await submit();
    const id = '11111111-0000-4000-8000-000000000000';
    const gone = { id, host: hostname(), pid: 2 ** 22 + 1, poolIds: ['first', 'second', 'third'] };
    await insertWorker(sql, { ...gone, tasks: null, concurrency: 1 });
    // Its last attempt, in a pool of a task that has places of its own.
    await sql.query(
      `update graphile_worker._private_jobs set attempts = max_attempts, locked_by = 'third', locked_at = now()`,
    );
    expect(await listDead(database, SYSTEM, PAGE)).toEqual([]);

    await recoverOnce(stack);
    const [dead] = await listDead(database, SYSTEM, PAGE);
    expect(dead).toMatchObject({
      ...{ task: 'fetch-source', attempts: 8, lastError: null },
      ...{ requestId: request.id, packageManager: null, buildId: null },
    });
    expect(await stack.untilFinal(request.id)).toMatchObject({
      state: 'failed',
      error: {
        code: 'internal',
        hint: 'The step ended its worker several times; the logs of the workers name the cause.',
      },
    });

    expect(await retryDeadJob(database, stack.settings, SYSTEM, dead!.id)).toEqual(dead);
    expect(await listDead(database, SYSTEM, PAGE)).toEqual([]);
    expect(await statesOf(request.id)).toEqual(['fetch-source queued', 'assemble-bundle waiting']);
    await expect(retryDeadJob(database, stack.settings, SYSTEM, dead!.id)).rejects.toThrow(
      'There is no dead job',
    );
    await cancelRequest(database, SYSTEM, request.id);
  });

  test('of maintenance that failed for good run again, or are forgotten', async () => {
    stack = await startWorkerStack();
    await stack.worker.stop(0);
    const { database } = stack;
    const { sql } = database;
    for (const key of ['one', 'two']) await addJob(sql, 'collect-garbage', {}, { key });
    await sql.query(
      `update graphile_worker._private_jobs set attempts = max_attempts, last_error = 'no: ' || key`,
    );
    const [two, one] = await listDead(database, SYSTEM, PAGE);
    expect([one, two].map((job) => job?.lastError)).toEqual(['no: one', 'no: two']);
    expect(await listDead(database, SYSTEM, { ...PAGE, after: two!.id })).toEqual([one]);
    expect(await listDead(database, SYSTEM, { ...PAGE, before: one!.id, inverted: true })).toEqual([two]);
    await retryDeadJob(database, stack.settings, SYSTEM, one!.id);
    await discardDeadJob(database, SYSTEM, two!.id);
    expect(await sql.query('select key, attempts from graphile_worker.jobs')).toEqual([
      { key: 'one', attempts: 0 },
    ]);
  });
});
