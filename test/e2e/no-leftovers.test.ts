import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BundleRequest } from '../../src/domain/bundle-requests/bundle-request.ts';
import { cancelRequest } from '../../src/domain/bundle-requests/cancel.ts';
import { submitRequest } from '../../src/domain/bundle-requests/submit.ts';
import { readSettings } from '../../src/domain/config.ts';
import { openDatabase } from '../../src/domain/database/database.ts';
import { findRequest, findSteps } from '../../src/domain/database/sql/bundle-request-rows.ts';
import { EventHub } from '../../src/domain/events/event-hub.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { FileBlobStore } from '../../src/domain/storage/file-blob-store.ts';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { TestRepository } from '../support/git-repository.ts';
import { leftovers, NO_LEFTOVERS } from '../support/leftovers.ts';
import {
  lockFileOf,
  makeTarball,
  manyPackages,
  type NpmRegistry,
  startNpmRegistry,
} from '../support/npm-registry.ts';
import { makeSdist, startPythonIndex } from '../support/python-index.ts';
import { StepBarrier } from '../support/step-barrier.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import { startWorkerStack, type WorkerStack } from '../support/worker-stack.ts';

const LATENCY_MS = 20;

type Published = NpmRegistry['packages'][number];

function repositoryOf(registry: NpmRegistry, extra: Record<string, string> = {}): TestRepository {
  return new TestRepository({
    'package.json': JSON.stringify({ name: 'fixture-application', version: '1.0.0' }),
    'package-lock.json': lockFileOf(registry, null),
    ...extra,
  });
}

const tarballHits = ({ hits, packages }: NpmRegistry): number[] =>
  packages.map((item) => hits.get(item.path) ?? 0);

describe('one worker', () => {
  let registry: NpmRegistry;
  let repository: TestRepository;
  let stack: WorkerStack;

  beforeEach(async () => {
    registry = await startNpmRegistry(manyPackages(120), { latency: LATENCY_MS });
    repository = repositoryOf(registry);
    stack = await startWorkerStack({
      STOWAGE_NPM_REGISTRY: registry.url,
      STOWAGE_DOWNLOAD_CONCURRENCY: '4',
    });
  });
  afterEach(async () => {
    await stack.close();
    await registry.close();
    await rm(repository.path, { recursive: true, force: true });
  });

  const submission = (): { repository: string; ref: string } => ({
    repository: repository.path,
    ref: 'main',
  });
  /** A source is compressed beside the jobs, also for a request that has ended meanwhile: that ends within a moment. */
  const expectNoLeftovers = ({ database, blobs, settings } = stack) =>
    expect
      .poll(() => leftovers(database, blobs, settings.dataDir), { timeout: 20_000 })
      .toEqual(NO_LEFTOVERS);
  /** The request ends before its worker has put everything away, its log among it. */
  const untilIdle = ({ database } = stack) =>
    expect
      .poll(
        () =>
          database.sql.query(
            'select from graphile_worker.jobs where locked_at is not null or run_at <= now()',
          ),
        { timeout: 20_000 },
      )
      .toEqual([]);

  test('a failed integrity check names file, expected and actual digest, and leaves nothing behind', async () => {
    const broken = registry.packages[61]!;
    const other = makeTarball({ 'package.json': '{}' });
    registry.fail(`${broken.name}@${broken.version}`, { body: other });

    const request = await stack.run(submission());
    await untilIdle();
    const actual = createHash('sha512').update(other).digest('hex');
    expect(request).toMatchObject({
      state: 'failed',
      error: {
        code: 'checksum-mismatch',
        message: `The file ${broken.path.split('/').at(-1)} has an unexpected checksum value, expected ${broken.sha512} but computed ${actual}`,
      },
    });
    expect(await stack.log(request.id)).toContain(`error resolve-packages.npm: ${request.error!.message}`);
    await expectNoLeftovers();
    const steps = await findSteps(stack.database.sql, request.id);
    expect(steps.map(({ task, state }) => `${task} ${state}`)).toEqual([
      'fetch-source succeeded',
      'resolve-packages failed',
      'assemble-bundle cancelled',
    ]);
  });

  test('a package manager that fails stops the others, and nothing is left of any of them', async () => {
    const index = await startPythonIndex([makeSdist('plain', '1.0')]);
    const other = repositoryOf(registry, {
      'requirements.txt': `plain==1.0 --hash=sha256:${'0'.repeat(64)}\n`,
      'setup.cfg': '[metadata]\nname = fixture\nversion = 1.0\n',
    });
    const both = await startWorkerStack({
      STOWAGE_NPM_REGISTRY: registry.url,
      STOWAGE_PYPI_INDEX: index.url,
      // The file of the one is not waited for behind those of the other.
      STOWAGE_DOWNLOAD_CONCURRENCY: '4',
    });
    try {
      const request = await both.run({ repository: other.path, ref: 'main' });
      expect(request).toMatchObject({ state: 'failed', error: { code: 'checksum-mismatch' } });
      await untilIdle(both);
      expect(tarballHits(registry)).toContain(0);
      await expectNoLeftovers(both);
      const steps = await findSteps(both.database.sql, request.id);
      expect(steps.map(({ task, packageManager, state }) => [task, packageManager, state])).toEqual([
        ['fetch-source', null, 'succeeded'],
        ['resolve-packages', 'npm', 'cancelled'],
        ['resolve-packages', 'pip', 'failed'],
        ['assemble-bundle', null, 'cancelled'],
      ]);
    } finally {
      await both.close();
      await index.close();
      await rm(other.path, { recursive: true, force: true });
    }
  });

  test('a cancelled request stops fetching and leaves nothing behind', async () => {
    const { id } = await stack.submit(submission());
    await expect.poll(() => registry.hits.size, { interval: 5, timeout: 20_000 }).toBeGreaterThan(4);
    const cancelled = await cancelRequest(stack.database, SYSTEM, id);
    expect(cancelled).toMatchObject({
      state: 'cancelled',
      stateReason: 'The request was cancelled by system',
    });
    await untilIdle();
    expect(registry.hits.size).toBeLessThan(registry.packages.length);
    await expectNoLeftovers();

    // And what it had fetched is of use to the next one.
    const again = await stack.run(submission());
    await untilIdle();
    expect(again).toMatchObject({ state: 'complete', dependenciesCount: registry.packages.length });
    await expectNoLeftovers();
  });

  test.each(['fetch-source', 'resolve-packages', 'assemble-bundle'] as const)(
    'a request that is cancelled when %s begins leaves nothing behind',
    async (task) => {
      const barrier = await StepBarrier.raise(stack.database.url, task, 'running');
      const { id } = await stack.submit(submission());
      await barrier.untilReached();
      const cancelling = cancelRequest(stack.database, SYSTEM, id);
      await barrier.untilAwaited();
      await barrier.lower();
      expect(await cancelling).toMatchObject({ state: 'cancelled' });
      await untilIdle();
      expect(await stack.untilFinal(id)).toMatchObject({ state: 'cancelled', bundleDigest: null });
      await expectNoLeftovers();
      const steps = await findSteps(stack.database.sql, id);
      expect(steps.filter(({ state }) => state !== 'succeeded' && state !== 'cancelled')).toEqual([]);
    },
  );

  test('a completed request leaves nothing behind either', async () => {
    expect(await stack.run(submission())).toMatchObject({ state: 'complete' });
    await untilIdle();
    await expectNoLeftovers();
  });

  test('what two requests want at once is fetched once', async () => {
    const second = repositoryOf(registry, { 'other.txt': 'another commit' });
    const requests = await Promise.all([
      stack.run(submission()),
      stack.run({ repository: second.path, ref: 'main' }),
    ]);
    await untilIdle();
    expect(requests).toMatchObject([{ state: 'complete' }, { state: 'complete' }]);
    expect(tarballHits(registry)).toEqual(registry.packages.map(() => 1));
    expect(requests[0]!.bundleDigest).not.toBe(requests[1]!.bundleDigest);
    await expectNoLeftovers();
    await rm(second.path, { recursive: true, force: true });
  });

  test('a retried download is visible in the log', async () => {
    const [first, second, third] = registry.packages as [Published, Published, Published];
    registry.fail(`${first.name}@${first.version}`, {
      status: 503,
      times: 2,
      headers: { 'retry-after': '0' },
    });
    registry.fail(`${second.name}@${second.version}`, { status: 503, times: 1 });
    registry.fail(`${third.name}@${third.version}`, { cutAfter: 100, times: 1 });
    const request = await stack.run(submission());
    expect(request).toMatchObject({ state: 'complete' });
    const warnings = (await stack.log(request.id)).filter((line) => line.startsWith('warn'));
    const of = ({ path }: Published) => warnings.filter((line) => line.includes(`${registry.url}${path}`));
    const url = `${registry.url}${first.path}`;
    expect(of(first)).toEqual([
      `warn resolve-packages.npm: retry 1 of 5 in 0.0 s: GET ${url}: status 503`,
      `warn resolve-packages.npm: retry 2 of 5 in 0.0 s: GET ${url}: status 503`,
    ]);
    expect(of(second)).toEqual([
      expect.stringMatching(/retry 1 of 5 in (0\.[5-9]|1\.[0-5]) s: GET .*: status 503$/),
    ]);
    expect(of(third)).toEqual([expect.stringMatching(/retry 1 of 5 in \d\.\d s: GET /)]);
    expect([first, second, third].map(({ path }) => registry.hits.get(path))).toEqual([3, 2, 2]);
  });
});

describe('two workers', () => {
  let url: string;
  let dataDir: string;
  let registry: NpmRegistry;

  beforeAll(async () => {
    url = await createTestDatabase();
    dataDir = await mkdtemp(join(tmpdir(), 'stowage-two-workers-'));
    registry = await startNpmRegistry(manyPackages(60), { latency: LATENCY_MS });
  });
  afterAll(async () => {
    await registry.close();
    await dropTestDatabase(url);
    await rm(dataDir, { recursive: true, force: true });
  });

  test('fetch once what a request of each of them wants', async () => {
    const environment = {
      DATABASE_URL: url,
      STOWAGE_DATA_DIR: dataDir,
      STOWAGE_NPM_REGISTRY: registry.url,
      STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file',
      // One job at a time: two requests at once need both workers.
      STOWAGE_WORKER_CONCURRENCY: '1',
    };
    const repositories = ['one', 'two'].map((text) => repositoryOf(registry, { 'which.txt': text }));
    const database = await openDatabase({ url, connections: 4 });
    const hub = new EventHub(database);
    await hub.start();
    // Both stand at the start before either of them runs.
    const barrier = await StepBarrier.raise(url, 'resolve-packages', 'running');
    const workers = [new WorkerProcess(environment), new WorkerProcess(environment)];
    const run = async (repository: string): Promise<BundleRequest> => {
      const { id } = await submitRequest(database, readSettings(environment), SYSTEM, {
        repository,
        ref: 'main',
      });
      for await (const event of hub.subject('bundle-request', id, 0, AbortSignal.timeout(50_000))) {
        if (event.type === 'state' && event.data.state !== 'in_progress') break;
      }
      return (await findRequest(database.sql, id))!;
    };
    try {
      const running = Promise.all(repositories.map(({ path }) => run(path)));
      await barrier.untilReached(2);
      await barrier.lower();
      const requests = await running;
      expect(requests.map(({ state }) => state)).toEqual(repositories.map(() => 'complete'));
      expect(tarballHits(registry)).toEqual(registry.packages.map(() => 1));
      for (const worker of workers) expect(await worker.end('SIGTERM')).toBe(0);
      expect(await leftovers(database, new FileBlobStore(join(dataDir, 'blobs')), dataDir)).toEqual(
        NO_LEFTOVERS,
      );
    } finally {
      for (const worker of workers) await worker.end('SIGKILL');
      await hub.close();
      await database.close();
      for (const { path } of repositories) await rm(path, { recursive: true, force: true });
    }
  });
});
