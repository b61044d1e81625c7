import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BundleRequest, StepTask } from '../../src/domain/bundle-requests/bundle-request.ts';
import { submitRequest } from '../../src/domain/bundle-requests/submit.ts';
import { readSettings } from '../../src/domain/config.ts';
import { type Database, openDatabase } from '../../src/domain/database/database.ts';
import { findRequest, findSteps } from '../../src/domain/database/sql/bundle-request-rows.ts';
import { EventHub } from '../../src/domain/events/event-hub.ts';
import { collectGarbage } from '../../src/domain/garbage/collect-garbage.ts';
import { GRACE } from '../../src/domain/garbage/garbage.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { FileBlobStore } from '../../src/domain/storage/file-blob-store.ts';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { leftovers, NO_LEFTOVERS } from '../support/leftovers.ts';
import { StepBarrier } from '../support/step-barrier.ts';
import { startThreeManagers, type ThreeManagers } from '../support/three-managers.ts';
import { WorkerProcess } from '../support/worker-process.ts';

/** A database and a data directory in which nothing has happened yet, and worker processes on them. */
class ColdStart {
  readonly workers: WorkerProcess[] = [];
  readonly url: string;
  readonly database: Database;
  readonly hub: EventHub;
  readonly dataDir: string;
  readonly environment: Record<string, string>;

  private constructor(url: string, database: Database, dataDir: string, upstreams: Record<string, string>) {
    this.url = url;
    this.database = database;
    this.hub = new EventHub(database);
    this.dataDir = dataDir;
    this.environment = {
      DATABASE_URL: url,
      STOWAGE_DATA_DIR: dataDir,
      STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file',
      ...upstreams,
    };
  }

  static async open(upstreams: Record<string, string>): Promise<ColdStart> {
    const url = await createTestDatabase();
    const database = await openDatabase({ url, connections: 4 });
    const cold = new ColdStart(url, database, await mkdtemp(join(tmpdir(), 'stowage-killed-')), upstreams);
    await cold.hub.start();
    return cold;
  }

  get blobs(): FileBlobStore {
    return new FileBlobStore(join(this.dataDir, 'blobs'));
  }

  startWorker(): WorkerProcess {
    const worker = new WorkerProcess(this.environment);
    this.workers.push(worker);
    return worker;
  }

  submit(repository: string): Promise<BundleRequest> {
    return submitRequest(this.database, readSettings(this.environment), SYSTEM, { repository, ref: 'main' });
  }

  async untilFinal(id: number): Promise<BundleRequest> {
    for await (const event of this.hub.subject('bundle-request', id, 0, AbortSignal.timeout(55_000))) {
      if (event.type === 'state' && event.data.state !== 'in_progress') break;
    }
    return (await findRequest(this.database.sql, id))!;
  }

  /** The request ends before its worker has put everything away, its log among it. */
  async untilIdle(): Promise<void> {
    const busy = 'select from graphile_worker.jobs where locked_at is not null or run_at <= now()';
    await expect.poll(() => this.database.sql.query(busy), { timeout: 20_000 }).toEqual([]);
  }

  /** Everything is two hours older, and the garbage collection comes by. */
  async collectGarbageLater(): Promise<void> {
    const { database, blobs } = this;
    await database.sql.query(`update blobs set created_at = created_at - interval '2 hours'`);
    const past = new Date(Date.now() - 2 * 60 * 60 * 1000);
    for await (const { digest } of blobs.list()) await utimes(blobs.localPath(digest), past, past);
    await collectGarbage({ database, blobs, grace: GRACE, strayFiles: true });
  }

  async close(): Promise<void> {
    for (const worker of this.workers.splice(0)) await worker.end('SIGKILL');
    await this.hub.close();
    await this.database.close();
    await dropTestDatabase(this.url);
    await rm(this.dataDir, { recursive: true, force: true });
  }
}

/** Issue 3: "A worker killed with SIGKILL in any step: the request completes on another worker, once, with the same result." */
describe('a worker that is killed', () => {
  let source: ThreeManagers;
  let undisturbed: BundleRequest;
  let cold: ColdStart;

  beforeAll(async () => {
    source = await startThreeManagers();
    const calm = await ColdStart.open(source.environment);
    calm.startWorker();
    undisturbed = await calm.untilFinal((await calm.submit(source.repository.path)).id);
    await calm.close();
    expect(undisturbed).toMatchObject({ state: 'complete', packageManagers: ['gomod', 'npm', 'pip'] });
  });
  afterAll(() => source.close());
  beforeEach(async () => {
    cold = await ColdStart.open(source.environment);
  });
  afterEach(() => cold.close());

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
      const barrier = await StepBarrier.raise(cold.url, task, state);
      const first = cold.startWorker();
      const request = await cold.submit(source.repository.path);
      await barrier.untilReached();
      const ended = first.end(signal);
      if (signal === 'SIGKILL') await ended;
      await barrier.lower();
      await ended;
      const second = cold.startWorker();

      const final = await cold.untilFinal(request.id);
      expect(final).toMatchObject({
        state: 'complete',
        bundleDigest: undisturbed.bundleDigest,
        packagesCount: undisturbed.packagesCount,
        dependenciesCount: undisturbed.dependenciesCount,
      });
      const { sql } = cold.database;
      const completions = await sql.query(
        `select from bundle_request_states where request_id = $1 and state = 'complete'`,
        [request.id],
      );
      expect(completions).toHaveLength(1);
      const steps = await findSteps(sql, request.id);
      expect(steps.map((step) => `${step.task} ${step.packageManager} ${step.state}`).sort()).toEqual([
        'assemble-bundle null succeeded',
        'fetch-source null succeeded',
        'resolve-packages gomod succeeded',
        'resolve-packages npm succeeded',
        'resolve-packages pip succeeded',
      ]);

      await cold.untilIdle();
      expect(await second.end('SIGTERM')).toBe(0);
      expect(await readdir(join(cold.dataDir, 'tmp'))).toEqual([]);
      expect(await sql.query('select host from workers where stopped_at is null')).toEqual([]);
      const remaining = () => leftovers(cold.database, cold.blobs, cold.dataDir);
      // Who ends in order leaves at most blobs of a result that came too late to be named.
      if (signal === 'SIGTERM') {
        expect({ ...(await remaining()), unreferencedBlobs: [] }).toEqual(NO_LEFTOVERS);
      }
      await cold.collectGarbageLater();
      expect(await remaining()).toEqual(NO_LEFTOVERS);
    },
  );
});
