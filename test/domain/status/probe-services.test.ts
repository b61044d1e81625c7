import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { isReportAsked, recordReport } from '../../../src/domain/database/sql/worker-reports.ts';
import { insertWorker } from '../../../src/domain/database/sql/workers.ts';
import { EventHub } from '../../../src/domain/events/event-hub.ts';
import { probeServices, type StatusSources } from '../../../src/domain/status/probe-services.ts';
import type { ServiceStatus, SystemStatus } from '../../../src/domain/status/system-status.ts';
import { testDatabase } from '../../support/database.ts';

const OK = { ok: true, reason: null };
const never = () => new Promise<never>(() => undefined);

describe('the status of the services', () => {
  let database: Database;
  let hub: EventHub;
  const ending = new AbortController();
  beforeAll(async () => {
    database = await testDatabase();
    hub = new EventHub(database);
    await hub.start();
  });
  afterAll(async () => {
    ending.abort();
    await hub.close();
    await database.close();
  });
  beforeEach(() => database.sql.query('delete from workers'));
  const stops: AbortController[] = [];
  afterEach(() => {
    for (const stop of stops.splice(0)) stop.abort();
  });

  /** Each time another reader, without what one before it keeps. */
  const probe = (sources: Partial<StatusSources> = {}): Promise<SystemStatus> =>
    probeServices({
      settings: { packageManagers: ['gomod', 'npm'] },
      database: { sql: database.sql },
      blobs: { check: async () => undefined },
      hub,
      ...sources,
    });

  let workers = 0;
  /** A worker that answers when it is asked; null: it does not. */
  const worker = async (
    host: string,
    services: ServiceStatus[] | null,
  ): Promise<{ id: string; asked: number }> => {
    workers += 1;
    const id = `00000000-0000-4000-8000-${String(workers).padStart(12, '0')}`;
    await insertWorker(database.sql, {
      id,
      host,
      pid: 1,
      poolIds: [`pool-${workers}`, `builds-${workers}`],
      tasks: null,
      concurrency: 1,
    });
    const self = { id, asked: 0 };
    if (services === null) return self;
    const stop = new AbortController();
    stops.push(stop);
    void (async () => {
      const answer = async (): Promise<never[]> => {
        if (!(await isReportAsked(database.sql, id))) return [];
        self.asked += 1;
        await recordReport(database.sql, id, services);
        return [];
      };
      for await (const _ of hub.follow('worker-report:asked', stop.signal, answer));
    })();
    return self;
  };

  test('everything is well', async () => {
    await worker('one.example', [
      { name: 'go-proxy', ...OK },
      { name: 'git', ...OK },
      { name: 'npm-registry', ...OK },
    ]);
    expect(await probe()).toEqual({
      services: ['database', 'queue', 'storage', 'git', 'npm-registry', 'go-proxy'].map((name) => ({
        name,
        ...OK,
      })),
      workers: [{ name: 'stowage@one.example', ...OK }],
      canProcess: [
        { packageManager: 'gomod', ok: true },
        { packageManager: 'npm', ok: true },
      ],
    });
  });

  test('workers by name; one whose heart stopped does not respond and its report does not count', async () => {
    await worker('b.example', [{ name: 'git', ...OK }]);
    const dead = await worker('a.example', null);
    await recordReport(database.sql, dead.id, [{ name: 'pypi', ...OK }]);
    await database.sql.query(
      `update workers set heartbeat_at = now() - interval '20 seconds' where id = $1`,
      [dead.id],
    );
    const status = await probe();
    expect(status.workers).toEqual([
      { name: 'stowage@a.example', ok: false, reason: 'Node did not respond to ping' },
      { name: 'stowage@b.example', ...OK },
    ]);
    expect(status.services.map(({ name }) => name)).toEqual(['database', 'queue', 'storage', 'git']);
  });

  test('an upstream is down when no worker reaches it', async () => {
    const broken = { name: 'npm-registry', ok: false, reason: '503: Service Unavailable' };
    await worker('a.example', [broken, { name: 'go-proxy', ok: false, reason: 'connection failed' }]);
    await worker('b.example', [broken, { name: 'go-proxy', ...OK }]);
    const status = await probe();
    expect(status.services.slice(3)).toEqual([broken, { name: 'go-proxy', ...OK }]);
    expect(status.canProcess).toEqual([
      { packageManager: 'gomod', ok: true },
      { packageManager: 'npm', ok: false },
    ]);
  });

  test('without workers nobody knows of upstreams, and nothing can be processed', async () => {
    const status = await probe();
    expect(status).toEqual({
      services: ['database', 'queue', 'storage'].map((name) => ({ name, ...OK })),
      workers: [],
      canProcess: [
        { packageManager: 'gomod', ok: false },
        { packageManager: 'npm', ok: false },
      ],
    });
  });

  test('however often somebody asks, upstreams are not probed again for a while', async () => {
    const asked = await worker('a.example', [{ name: 'git', ...OK }]);
    await Promise.all([probe(), probe(), probe()]);
    await probe();
    expect(asked.asked).toBe(1);
    await database.sql.query(
      `update workers set reported_at = now() - interval '11 seconds', asked_at = null`,
    );
    await probe();
    expect(asked.asked).toBe(2);
  });

  test('those who ask at the same time get one look', async () => {
    let checks = 0;
    const shared: StatusSources = {
      settings: { packageManagers: [] },
      database: { sql: database.sql },
      hub,
      blobs: {
        check: async () => {
          checks += 1;
        },
      },
    };
    await Promise.all(Array.from({ length: 50 }, () => probeServices(shared)));
    await probeServices(shared);
    expect(checks).toBe(1);
  });

  test('within five seconds when a worker lives and says nothing: its earlier report counts', async () => {
    const silent = await worker('a.example', null);
    await recordReport(database.sql, silent.id, [{ name: 'git', ...OK }]);
    await database.sql.query(`update workers set reported_at = now() - interval '1 hour'`);
    const started = performance.now();
    const status = await probe();
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(status.workers).toEqual([{ name: 'stowage@a.example', ...OK }]);
    expect(status.services.map(({ name }) => name)).toContain('git');
  });

  test.each<[string, () => Promise<never>, string, string]>([
    [
      'refuses',
      async () => Promise.reject(Object.assign(new Error('x'), { code: 'ECONNREFUSED' })),
      'database connection failed',
      'broker connection failed',
    ],
    [
      'ends the connection',
      async () => Promise.reject(new Error('Connection terminated unexpectedly')),
      'database connection failed',
      'broker connection failed',
    ],
    ['hangs', never, 'database connection failed', 'broker connection failed'],
    [
      'fails in another way',
      async () => Promise.reject(new Error('relation is corrupt')),
      'unknown error occurred',
      'broker connection failed',
    ],
  ])('a database that %s', async (_case, query, ofDatabase, ofQueue) => {
    const started = performance.now();
    const status = await probe({ database: { sql: { query } } });
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(status).toEqual({
      services: [
        { name: 'database', ok: false, reason: ofDatabase },
        { name: 'queue', ok: false, reason: ofQueue },
        { name: 'storage', ...OK },
      ],
      workers: [],
      canProcess: [
        { packageManager: 'gomod', ok: false },
        { packageManager: 'npm', ok: false },
      ],
    });
  });

  test.each<[string, StatusSources['blobs']['check'], string]>([
    [
      'is full',
      async () => Promise.reject(new Error("ENOSPC: no space left on device, write '/secret/path'")),
      'ENOSPC: no space left on device',
    ],
    [
      'has no space, which nobody else asks for',
      async (options?: { space?: boolean }) => {
        if (options?.space) throw new Error('ENOSPC: no space left on device');
      },
      'ENOSPC: no space left on device',
    ],
    ['hangs', never, 'connection failed'],
    ['fails in another way', async () => Promise.reject(new Error('/secret/path')), 'unknown error occurred'],
  ])('a storage that %s', async (_case, check, reason) => {
    await worker('a.example', [{ name: 'git', ...OK }]);
    const status = await probe({ blobs: { check } });
    expect(status.services[2]).toEqual({ name: 'storage', ok: false, reason });
    expect(status.canProcess.every(({ ok }) => !ok)).toBe(true);
  });
});
