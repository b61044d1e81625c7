import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BundleRequest, RequestPriority } from '../../../src/domain/bundle-requests/bundle-request.ts';
import { cancelRequest } from '../../../src/domain/bundle-requests/cancel.ts';
import { recordSource } from '../../../src/domain/bundle-requests/record-source.ts';
import { tidyQueue } from '../../../src/domain/bundle-requests/request-queue.ts';
import { retryRequest } from '../../../src/domain/bundle-requests/retry.ts';
import { submitRequest } from '../../../src/domain/bundle-requests/submit.ts';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { lockRequest } from '../../../src/domain/database/sql/bundle-request-rows.ts';
import { findAbandonedSteps } from '../../../src/domain/database/sql/find-abandoned-steps.ts';
import { insertSnapshot } from '../../../src/domain/database/sql/source-snapshots.ts';
import { TooManyRequestsError } from '../../../src/domain/errors.ts';
import { addUser } from '../../../src/domain/identity/accounts.ts';
import { type Principal, SCOPES, SYSTEM } from '../../../src/domain/identity/principal.ts';
import { createProject } from '../../../src/domain/identity/projects.ts';
import { testDatabase } from '../../support/database.ts';
import { take } from '../../support/requests.ts';

const SOURCE = {
  ...{ commit: 'a'.repeat(40), snapshot: `sha256:${'5'.repeat(64)}` as const },
  ...{ files: 1, size: 1, plan: null },
};

describe('the queue of requests', () => {
  let database: Database;
  let ada: Principal;

  beforeAll(async () => {
    database = await testDatabase();
    await addUser(database, { name: 'ada' });
    for (const name of ['apps', 'tools']) await createProject(database, SYSTEM, { name });
    const [user] = await database.sql.query<{ id: number }>(`select id from users where name = 'ada'`);
    ada = { userId: user!.id, name: 'ada', isAdmin: false, scopes: new Set(SCOPES) };
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await database.sql.query('delete from bundle_requests');
    await database.sql.query('delete from graphile_worker._private_jobs');
  });

  const settings = (places: number, limit = 1_000) =>
    readSettings({
      STOWAGE_PROJECT_REQUEST_CONCURRENCY: String(places),
      STOWAGE_PROJECT_REQUEST_LIMIT: String(limit),
    });
  const submit = (
    projectName: string | null,
    {
      places = 4,
      limit = 1_000,
      priority,
    }: { places?: number; limit?: number; priority?: RequestPriority } = {},
  ): Promise<BundleRequest> =>
    submitRequest(database, settings(places, limit), projectName === null ? ada : SYSTEM, {
      repository: 'https://git.example/app.git',
      packageManagers: [],
      projectName,
      ...(priority && { priority }),
    });
  const submitMany = async (count: number, ...of: Parameters<typeof submit>): Promise<BundleRequest[]> => {
    const requests: BundleRequest[] = [];
    for (let index = 0; index < count; index += 1) requests.push(await submit(...of));
    return requests;
  };
  /** Requests in the order in which workers would take their jobs. */
  const turns = async (): Promise<number[]> => {
    const rows = await database.sql.query<{ id: number }>(
      `select s.request_id as id
       from graphile_worker._private_jobs j join bundle_request_steps s on j.key = 'step:' || s.id
       join bundle_requests r on r.id = s.request_id and r.attempt = (j.payload ->> 'requestAttempt')::integer
       where s.state = 'queued' order by j.priority, j.run_at`,
    );
    return rows.map(({ id }) => id);
  };
  const queued = async (): Promise<number[]> =>
    (
      await database.sql.query<{ id: number }>(
        'select request_id as id from request_queue order by request_id',
      )
    ).map(({ id }) => id);
  const ids = (requests: readonly BundleRequest[], ...which: number[]) =>
    which.map((index) => requests[index]!.id);

  test('the first request of a project comes second, however many of another one wait', async () => {
    const many = await submitMany(12, 'apps');
    const [first, second] = await submitMany(2, 'tools');
    const mine = await submit(null);
    expect(await turns()).toEqual([
      ...ids(many, 0),
      first!.id,
      mine.id,
      ...ids(many, 1, 2),
      second!.id,
      ...ids(many, 3),
    ]);
  });

  test('whose request is over makes room for the one that has waited the longest, and all move up', async () => {
    const many = await submitMany(6, 'apps');
    const other = await submit('tools');
    expect(await turns()).toEqual([...ids(many, 0), other.id, ...ids(many, 1, 2, 3)]);
    await cancelRequest(database, SYSTEM, many[0]!.id);
    expect(await turns()).toEqual([...ids(many, 1), other.id, ...ids(many, 2, 3, 4)]);
    // One that waits leaves without having had a turn.
    await cancelRequest(database, SYSTEM, many[5]!.id);
    await cancelRequest(database, SYSTEM, many[1]!.id);
    expect(await queued()).toEqual([...ids(many, 2, 3, 4), other.id]);
  });

  test('urgent requests come first in their project only, and those that can wait after everybody', async () => {
    const low = await submit('apps', { priority: 'low' });
    const normal = await submitMany(3, 'apps');
    const waiting = await submit('apps');
    const high = await submit('apps', { priority: 'high' });
    const other = await submit('tools');
    expect([low, waiting, high].map(({ priority }) => priority)).toEqual(['low', 'normal', 'high']);
    // All places of the project are taken.
    expect(await turns()).toEqual([...ids(normal, 0), other.id, ...ids(normal, 1, 2), low.id]);
    await cancelRequest(database, SYSTEM, normal[2]!.id);
    expect((await turns()).toSorted()).toEqual([...ids(normal, 0, 1), low.id, high.id, other.id].toSorted());
    await cancelRequest(database, SYSTEM, normal[0]!.id);
    expect((await turns()).at(-1)).toBe(low.id);
    expect(await turns()).toContain(waiting.id);
  });

  test('the steps that follow have the place that their request has by then', async () => {
    const many = await submitMany(3, 'apps');
    await insertSource();
    const lease = (await take(database, many[2]!, 'fetch-source'))!;
    await cancelRequest(database, SYSTEM, many[0]!.id);
    await recordSource(database, lease, SOURCE, []);
    expect(await priorityOf('assemble-bundle')).toBe(1);
    await cancelRequest(database, SYSTEM, many[1]!.id);
    expect(await priorityOf('assemble-bundle')).toBe(0);
  });

  test('more than may wait are refused, and nothing of them is stored', async () => {
    const limited = { places: 1, limit: 2 };
    const [first] = await submitMany(2, 'apps', limited);
    const refused = submit('apps', limited);
    await expect(refused).rejects.toThrow(TooManyRequestsError);
    await expect(refused).rejects.toMatchObject({
      message: '2 requests of this project wait or run already',
      retryable: true,
      details: { queued: 2, limit: 2 },
    });
    expect(await database.sql.query('select from bundle_requests')).toHaveLength(2);
    await submit('tools', limited);
    await submit(null, limited);
    await cancelRequest(database, SYSTEM, first!.id);
    await submit('apps', limited);
    await expect(retryRequest(database, settings(1, 2), SYSTEM, first!.id)).rejects.toThrow(
      TooManyRequestsError,
    );
  });

  test('a retried request waits anew, behind the others', async () => {
    const [first, second, third] = await submitMany(3, 'apps', { places: 1 });
    await cancelRequest(database, SYSTEM, first!.id);
    await retryRequest(database, settings(1), SYSTEM, first!.id);
    expect(await turns()).toEqual([second!.id]);
    await cancelRequest(database, SYSTEM, second!.id);
    expect(await turns()).toEqual([third!.id]);
    await cancelRequest(database, SYSTEM, third!.id);
    expect(await turns()).toEqual([first!.id]);
  });

  test('requests without a place are not taken for abandoned', async () => {
    await submitMany(2, 'apps', { places: 1 });
    expect(await findAbandonedSteps(database.sql)).toEqual([]);
    await database.sql.query('delete from graphile_worker._private_jobs');
    expect(await findAbandonedSteps(database.sql)).toHaveLength(1);
  });

  test('one that somebody held when a place became free gets it later', async () => {
    const [first, second] = await submitMany(2, 'apps', { places: 1 });
    await database.transaction(async (tx) => {
      await lockRequest(tx.sql, second!.id);
      await cancelRequest(database, SYSTEM, first!.id);
    });
    expect(await turns()).toEqual([]);
    await tidyQueue(database);
    expect(await turns()).toEqual([second!.id]);
    await tidyQueue(database);
    expect(await turns()).toEqual([second!.id]);
  });

  test('processes of an older release neither enter requests nor take them out', async () => {
    const [first, second, third] = await submitMany(3, 'apps', { places: 1 });
    await database.sql.query('delete from request_queue where request_id = $1', [first!.id]);
    await insertSource();
    await recordSource(database, (await take(database, first!, 'fetch-source'))!, SOURCE, []);
    expect(await priorityOf('assemble-bundle')).toBe(0);
    await cancelRequest(database, SYSTEM, first!.id);
    await database.sql.query(`update bundle_requests set state = 'failed' where id = $1`, [second!.id]);
    await tidyQueue(database);
    expect(await queued()).toEqual([third!.id]);
    expect(await turns()).toEqual([third!.id]);
  });

  const insertSource = () =>
    insertSnapshot(
      database.sql,
      {
        ...{ origin: 'git.example/app', commit: SOURCE.commit, submodules: 'none', treeId: 'b'.repeat(40) },
        ...{ time: 0, index: SOURCE.snapshot, pack: SOURCE.snapshot, size: 1, files: 1 },
      },
      [{ digest: SOURCE.snapshot, size: 1, crc32: 0 }],
    );
  const priorityOf = async (task: string): Promise<number | undefined> => {
    const [job] = await database.sql.query<{ priority: number }>(
      'select priority from graphile_worker.jobs where task_identifier = $1',
      [task],
    );
    return job?.priority;
  };
});
