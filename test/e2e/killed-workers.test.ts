import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BundleRequest, StepTask } from '../../src/domain/bundle-requests/bundle-request.ts';
import { submitRequest } from '../../src/domain/bundle-requests/submit.ts';
import { readSettings } from '../../src/domain/config.ts';
import { type Database, openDatabase } from '../../src/domain/database/database.ts';
import { findRequest, findSteps } from '../../src/domain/database/sql/bundle-request-rows.ts';
import { EventHub } from '../../src/domain/events/event-hub.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { TestRepository } from '../support/git-repository.ts';
import { lockFileOf, manyPackages, startNpmRegistry } from '../support/npm-registry.ts';
import { StepBarrier } from '../support/step-barrier.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** Issue 3: "A worker killed with SIGKILL in any step: the request completes on another worker, once, with the same result." */
describe('a worker that is killed', () => {
  let url: string;
  let database: Database;
  let hub: EventHub;
  let dataDir: string;
  let environment: Record<string, string>;
  let registry: Awaited<ReturnType<typeof startNpmRegistry>>;
  let repository: TestRepository;
  let undisturbed: BundleRequest;
  const workers: WorkerProcess[] = [];

  const startWorker = (): WorkerProcess => {
    const worker = new WorkerProcess(environment);
    workers.push(worker);
    return worker;
  };
  const submit = (): Promise<BundleRequest> =>
    submitRequest(database, readSettings(environment), SYSTEM, { repository: repository.path, ref: 'main' });
  const untilFinal = async (id: number): Promise<BundleRequest> => {
    for await (const event of hub.subject('bundle-request', id, 0, AbortSignal.timeout(55_000))) {
      if (event.type === 'state' && event.data.state !== 'in_progress') break;
    }
    return (await findRequest(database.sql, id))!;
  };

  beforeAll(async () => {
    url = await createTestDatabase();
    dataDir = await mkdtemp(join(tmpdir(), 'stowage-killed-'));
    registry = await startNpmRegistry(manyPackages(20));
    environment = {
      DATABASE_URL: url,
      STOWAGE_DATA_DIR: dataDir,
      STOWAGE_NPM_REGISTRY: registry.url,
      STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file',
    };
    database = await openDatabase({ url, connections: 4 });
    hub = new EventHub(database);
    await hub.start();
    repository = new TestRepository({
      'package.json': JSON.stringify({ name: 'bench', version: '1.0.0' }),
      'package-lock.json': lockFileOf(registry, null),
    });
    startWorker();
    undisturbed = await untilFinal((await submit()).id);
    expect(undisturbed).toMatchObject({ state: 'complete' });
  });
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.end('SIGKILL');
  });
  afterAll(async () => {
    await hub.close();
    await database.close();
    await registry.close();
    await dropTestDatabase(url);
    await rm(dataDir, { recursive: true, force: true });
  });

  test.each<[NodeJS.Signals, StepTask, 'running' | 'succeeded']>([
    ['SIGKILL', 'fetch-source', 'running'],
    ['SIGKILL', 'fetch-source', 'succeeded'],
    ['SIGKILL', 'resolve-packages', 'running'],
    ['SIGKILL', 'resolve-packages', 'succeeded'],
    ['SIGKILL', 'assemble-bundle', 'running'],
    ['SIGKILL', 'assemble-bundle', 'succeeded'],
    ['SIGTERM', 'fetch-source', 'succeeded'],
    ['SIGTERM', 'resolve-packages', 'succeeded'],
    ['SIGTERM', 'assemble-bundle', 'succeeded'],
  ])(
    'by %s, when %s is about to be %s: another one completes the request, once, with the same result',
    async (signal, task, state) => {
      const barrier = await StepBarrier.raise(url, task, state);
      const first = startWorker();
      const request = await submit();
      await barrier.untilReached();
      const ended = first.end(signal);
      if (signal === 'SIGKILL') await ended;
      await barrier.lower();
      await ended;
      const second = startWorker();

      const final = await untilFinal(request.id);
      expect(final).toMatchObject({
        state: 'complete',
        bundleDigest: undisturbed.bundleDigest,
        packagesCount: undisturbed.packagesCount,
        dependenciesCount: undisturbed.dependenciesCount,
      });
      const completions = await database.sql.query(
        `select from bundle_request_states where request_id = $1 and state = 'complete'`,
        [request.id],
      );
      expect(completions).toHaveLength(1);
      const steps = await findSteps(database.sql, request.id);
      expect(steps.map((step) => step.state)).toEqual(['succeeded', 'succeeded', 'succeeded']);
      expect(await second.end('SIGTERM')).toBe(0);
      expect(
        await database.sql.query('select from graphile_worker.jobs where locked_at is not null'),
      ).toEqual([]);
    },
  );

  test('leaves neither temporary files nor rows that say it is alive', async () => {
    const last = startWorker();
    const request = await submit();
    await untilFinal(request.id);
    expect(await last.end('SIGTERM')).toBe(0);
    expect(await readdir(join(dataDir, 'tmp'))).toEqual([]);
    expect(await readdir(join(dataDir, 'blobs', 'tmp'))).toEqual([]);
    expect(await database.sql.query('select host from workers where stopped_at is null')).toEqual([]);
    const orphans = await database.sql.query(
      `select digest from blobs b where not exists (select from artifacts a where a.digest = b.digest)
       and created_at < now() - interval '1 hour'`,
    );
    expect(orphans).toEqual([]);
  });
});
