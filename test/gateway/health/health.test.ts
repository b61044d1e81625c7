import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { endWorker, insertWorker, updateHeartbeat } from '../../../src/domain/database/sql/workers.ts';
import type { SqlExecutor } from '../../../src/domain/database/sql-executor.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { createProject } from '../../../src/domain/identity/projects.ts';
import { failBuild } from '../../../src/domain/images/run-build.ts';
import { findLiveWorkers } from '../../../src/domain/live-workers.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import type { Readiness } from '../../../src/gateway/health/readiness.ts';
import {
  type GatewayMetrics,
  type HealthServices,
  registerHealth,
} from '../../../src/gateway/health/register-health.ts';
import { testDatabase } from '../../support/database.ts';
import { submitImageBuild, takeImageBuild } from '../../support/image-builds.ts';
import { submit, take } from '../../support/requests.ts';

const logger: FastifyBaseLogger = pino({ level: 'silent' });
const never = <T>(): Promise<T> => new Promise(() => undefined);

describe('Health', () => {
  let database: Database;
  let directory: string;
  let blobs: FileBlobStore;
  let app: FastifyInstance | null = null;
  let metrics: GatewayMetrics;

  beforeAll(async () => {
    database = await testDatabase();
    directory = await mkdtemp(join(tmpdir(), 'stowage-health-'));
    blobs = new FileBlobStore(join(directory, 'blobs'));
  });
  afterEach(async () => {
    await app?.close();
    app = null;
  });
  afterAll(async () => {
    await database.close();
    await rm(directory, { recursive: true });
  });

  const serve = async (services: Partial<HealthServices> = {}): Promise<string> => {
    app = Fastify({ forceCloseConnections: true });
    metrics = registerHealth(app, { database, blobs, logger, ...services });
    app.get('/things/:id', async () => ({}));
    await app.listen({ host: '127.0.0.1', port: 0 });
    return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
  };
  const failing = (match: RegExp, answer: () => Promise<never>): { sql: SqlExecutor } => ({
    sql: {
      query: (text, parameters) => (match.test(text) ? answer() : database.sql.query(text, parameters)),
    },
  });

  describe('/livez and /readyz', () => {
    test('say yes when everything is there', async () => {
      const url = await serve();
      const live = await fetch(`${url}/livez`);
      expect([live.status, await live.json()]).toEqual([200, { ok: true }]);
      const ready = await fetch(`${url}/readyz`);
      expect(ready.status).toBe(200);
      expect(ready.headers.get('cache-control')).toBe('no-store');
      const fine = { ok: true, milliseconds: expect.any(Number) };
      expect(await ready.json()).toEqual({
        ok: true,
        checks: { database: fine, migrations: fine, blobStore: fine },
      });
    });

    test('name the part that fails', async () => {
      const file = join(directory, 'a-file');
      await writeFile(file, '');
      const url = await serve({ blobs: new FileBlobStore(join(file, 'blobs')) });
      const ready = await fetch(`${url}/readyz`);
      expect(ready.status).toBe(503);
      expect(await ready.json()).toMatchObject({
        ok: false,
        checks: {
          database: { ok: true },
          migrations: { ok: true },
          blobStore: { ok: false, error: expect.stringContaining('ENOTDIR') },
        },
      });
      expect((await fetch(`${url}/livez`)).status).toBe(200);
    });

    test('tell which migrations are missing', async () => {
      const [row] = await database.sql.query<{ name: string }>('delete from migrations returning name');
      const url = await serve();
      expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({
        ok: false,
        checks: { migrations: { ok: false, error: expect.stringContaining(row!.name) } },
      });
      await database.sql.query('insert into migrations (name) values ($1)', [row!.name]);
    });

    test('a database without any table is not migrated', async () => {
      const missing = Object.assign(new Error('relation "migrations" does not exist'), { code: '42P01' });
      const url = await serve({ database: failing(/from migrations/, () => Promise.reject(missing)) });
      expect(await (await fetch(`${url}/readyz`)).json()).toMatchObject({
        checks: { database: { ok: true }, migrations: { ok: false, error: /^not applied: 0001-/ } },
      });
    });

    test('a part that hangs is given up, and asked only once', async () => {
      let asked = 0;
      const hanging = failing(/^select 1$/, () => {
        asked += 1;
        return never();
      });
      const url = await serve({ database: hanging, timeoutMs: 500 });
      const answers = await Promise.all([1, 2, 3].map(() => fetch(`${url}/readyz`)));
      for (const answer of [...answers, await fetch(`${url}/readyz`)]) {
        expect(answer.status).toBe(503);
        expect(await answer.json()).toMatchObject({
          checks: { database: { ok: false, error: 'no answer within 500 ms' }, blobStore: { ok: true } },
        });
      }
      expect(asked).toBe(1);
    });
  });

  describe('/metrics', () => {
    const scrape = async (url: string): Promise<Map<string, number>> => {
      const response = await fetch(`${url}/metrics`);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
      return parse(await response.text());
    };

    test('count jobs, requests, workers and what they downloaded', async () => {
      const ids = ['1', '2', '3'].map((digit) => `${digit.repeat(8)}-0000-4000-8000-000000000000`);
      for (const id of ids) {
        await insertWorker(database.sql, {
          id,
          host: 'h',
          pid: 1,
          poolIds: [`pool-${id}`, `builds-${id}`],
          tasks: null,
          concurrency: 4,
        });
        const metrics = {
          stowage_downloads_total: 10,
          stowage_download_bytes_total: 2 ** 40,
          'stowage_jobs_total{task="fetch-source",outcome="succeeded"}': 2,
          'stowage_jobs_total{task="fetch-source",outcome="failed"}': 1,
          'broken name{': 7,
          'stowage_broken{a="\n"}': 7,
        };
        await updateHeartbeat(database.sql, id, { metrics, poolIds: [`pool-${id}`] });
      }
      await endWorker(database.sql, ids[0]!);
      const waiting = await submit(database);
      const running = await submit(database);
      await take(database, running, 'fetch-source');
      const done = [0.2, 3, 3, 7_200];
      for (const seconds of done) {
        const { id } = await submit(database);
        await database.sql.query(
          `update bundle_requests set state = 'complete', finished_at = created_at + make_interval(secs => $2)
           where id = $1`,
          [id, seconds],
        );
      }
      const { id: cancelled } = await submit(database);
      await database.sql.query(
        `update bundle_requests set state = 'cancelled', finished_at = created_at + interval '1 second'
         where id = $1`,
        [cancelled],
      );
      await database.sql.query(
        `update graphile_worker._private_jobs set run_at = now() - interval '100 seconds' where key = $1`,
        [await keyOf(waiting.id)],
      );
      await database.sql.query(
        `update graphile_worker._private_jobs set locked_at = now(), locked_by = 'x' where key = $1`,
        [await keyOf(running.id)],
      );

      const values = await scrape(await serve());
      const value = (series: string) => values.get(series);
      expect(value('stowage_database_up')).toBe(1);
      expect(value('stowage_workers')).toBe(2);
      expect(value('stowage_worker_slots')).toBe(8);
      expect(value('stowage_downloads_total')).toBe(30);
      expect(value('stowage_download_bytes_total')).toBe(3 * 2 ** 40);
      expect(value('stowage_jobs_total{task="fetch-source",outcome="succeeded"}')).toBe(6);
      expect(value('stowage_jobs_total{task="fetch-source",outcome="failed"}')).toBe(3);
      expect([...values.keys()].filter((name) => name.includes('broken'))).toEqual([]);
      expect(value('stowage_queue_jobs{task="fetch-source",state="ready"}')).toBe(6);
      expect(value('stowage_queue_jobs{task="fetch-source",state="running"}')).toBe(1);
      expect(value('stowage_queue_jobs{task="fetch-source",state="failed"}')).toBe(0);
      expect(value('stowage_queue_jobs{task="assemble-bundle",state="ready"}')).toBe(0);
      expect(value('stowage_queue_age_seconds{task="fetch-source"}')).toBeGreaterThanOrEqual(100);
      expect(value('stowage_queue_age_seconds{task="fetch-source"}')).toBeLessThan(160);
      expect(value('stowage_queue_age_seconds{task="compact-log"}')).toBe(0);
      expect(value('stowage_bundle_requests{state="complete"}')).toBe(4);
      expect(value('stowage_bundle_requests{state="in_progress"}')).toBe(2);
      const states = ['complete', 'failed', 'in_progress', 'stale'];
      expect(states.map((state) => value(`cachito_requests_count{state="${state}"}`))).toEqual([4, 1, 2, 0]);
      expect(value('cachito_request_duration_seconds_count')).toBe(5);
      expect(value('cachito_request_duration_seconds_sum')).toBeCloseTo(7_207.2, 3);
      const duration = 'stowage_bundle_request_duration_seconds';
      const bucket = (le: string) => value(`${duration}_bucket{state="complete",le="${le}"}`);
      expect(['0.5', '1', '2', '5', '10', '3600', '+Inf'].map(bucket)).toEqual([1, 1, 1, 3, 3, 3, 4]);
      expect(value(`${duration}_count{state="complete"}`)).toBe(4);
      expect(value(`${duration}_sum{state="complete"}`)).toBeCloseTo(7_206.2, 3);
      expect(value(`${duration}_count{state="failed"}`)).toBe(0);
      expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e6);
      expect(values.has('nodejs_eventloop_lag_p99_seconds')).toBe(true);
    });

    test('a worker that has no heartbeat does not live, also when nobody is left to say so', async () => {
      const id = '9'.repeat(8).concat('-0000-4000-8000-000000000000');
      const worker = { id, host: 'h', pid: 1, poolIds: ['pool-9'], tasks: null, concurrency: 4 };
      const before = (await scrape(await serve())).get('stowage_workers')!;
      await app!.close();
      await insertWorker(database.sql, worker);
      expect((await scrape(await serve())).get('stowage_workers')).toBe(before + 1);
      await app!.close();
      await database.sql.query(
        `update workers set heartbeat_at = now() - interval '16 seconds' where id = $1`,
        [id],
      );
      expect((await scrape(await serve())).get('stowage_workers')).toBe(before);
      expect((await findLiveWorkers(database, SYSTEM)).map((one) => one.id)).not.toContain(id);
    });

    const keyOf = async (requestId: number): Promise<string> => {
      const [row] = await database.sql.query<{ key: string }>(
        `select 'step:' || id as key from bundle_request_steps where request_id = $1 and task = 'fetch-source'`,
        [requestId],
      );
      return row!.key;
    };

    test('time HTTP requests by route, never by path', async () => {
      const url = await serve();
      for (const path of ['/things/1', '/things/2', '/nowhere/3'])
        await (await fetch(`${url}${path}`)).text();
      const values = await scrape(url);
      const count = (labels: string) => values.get(`stowage_http_request_duration_seconds_count{${labels}}`);
      expect(count('method="GET",route="/things/:id",status="200"')).toBe(2);
      expect(count('method="GET",route="unknown",status="404"')).toBe(1);
      expect([...values.keys()].some((series) => series.includes('nowhere'))).toBe(false);
    });

    test('say what /readyz says, and how much room there is', async () => {
      const url = await serve({ certificateExpiresAt: new Date(1_800_000_000_000) });
      const { checks } = (await (await fetch(`${url}/readyz`)).json()) as Readiness;
      const values = await scrape(url);
      for (const [check, { ok }] of Object.entries(checks)) {
        expect(values.get(`stowage_ready{check="${check}"}`)).toBe(Number(ok));
      }
      expect(values.get('stowage_blob_store_free_bytes')).toBeGreaterThan(1024 ** 2);
      expect(values.get('stowage_certificate_expiry_timestamp_seconds')).toBe(1_800_000_000);
    });

    test('say it when something is away', async () => {
      const gone = async (): Promise<never> => Promise.reject(new Error('away'));
      const values = await scrape(await serve({ blobs: { check: gone, freeBytes: gone } }));
      expect(values.get('stowage_ready{check="blobStore"}')).toBe(0);
      expect(values.get('stowage_ready{check="database"}')).toBe(1);
      expect(values.has('stowage_blob_store_free_bytes')).toBe(false);
      expect(values.has('stowage_certificate_expiry_timestamp_seconds')).toBe(false);
    });

    test('tell when garbage was last collected', async () => {
      const name = 'stowage_garbage_collection_age_seconds';
      expect((await scrape(await serve())).has(name)).toBe(false);
      await app!.close();
      await database.sql.query(
        `insert into garbage_runs (state, started_at, finished_at)
         values ('complete', now() - interval '2 hours', now() - interval '1 hour'), ('failed', now(), now())`,
      );
      const age = (await scrape(await serve())).get(name)!;
      expect(age).toBeGreaterThanOrEqual(3600);
      expect(age).toBeLessThan(3700);
    });

    test('tell the number of subscribers', async () => {
      const url = await serve();
      metrics.subscribers.inc();
      metrics.subscribers.inc();
      metrics.subscribers.dec();
      expect((await scrape(url)).get('stowage_subscribers')).toBe(1);
    });

    test('many scrapes cost as much as one', async () => {
      const SCRAPES = 20;
      let statements = 0;
      const arrived = Promise.withResolvers<void>();
      // Nothing is answered before all have asked, however slow the machine is.
      const counting: { sql: SqlExecutor } = {
        sql: {
          query: async (text, parameters) => {
            statements += 1;
            await arrived.promise;
            return await database.sql.query(text, parameters);
          },
        },
      };
      const url = await serve({ database: counting, timeoutMs: 60_000 });
      let requests = 0;
      app!.server.on('request', () => {
        requests += 1;
        if (requests === SCRAPES) setImmediate(arrived.resolve);
      });
      await Promise.all(Array.from({ length: SCRAPES }, () => scrape(url)));
      // Queue, workers, requests, builds, garbage; two for readiness.
      expect(statements).toBe(7);
    });

    test('count builds of images by state, and how long they took', async () => {
      await createProject(database, SYSTEM, { name: 'apps' });
      const ended = await submitImageBuild(database, { version: 'a' });
      await submitImageBuild(database, { version: 'b' });
      const lease = (await takeImageBuild(database, ended))!;
      await failBuild(database, readSettings({}), lease, { reason: 'internal', message: 'no', details: {} });
      const values = await scrape(await serve());
      expect(values.get('stowage_image_builds{state="queued"}')).toBe(1);
      expect(values.get('stowage_image_builds{state="failed"}')).toBe(1);
      expect(values.get('stowage_image_build_duration_seconds_count{state="failed"}')).toBe(1);
      expect(values.get('stowage_image_build_duration_seconds_count{state="succeeded"}')).toBe(0);
    });

    test('of the process are there when the database is not', async () => {
      const url = await serve({ database: { sql: { query: never } }, timeoutMs: 50 });
      const values = await scrape(url);
      expect(values.get('stowage_database_up')).toBe(0);
      expect(values.has('process_cpu_seconds_total')).toBe(true);
      expect(values.has('stowage_workers')).toBe(false);
    });
  });
});

/** Values by series; fails on what is not the text format: unknown lines, samples without a type, repeated series. */
function parse(text: string): Map<string, number> {
  const values = new Map<string, number>();
  const types = new Set<string>();
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.split('\n')) {
    const type = /^# TYPE (\S+) (?:counter|gauge|histogram|summary)$/.exec(line);
    if (type) {
      expect(types.has(type[1]!), line).toBe(false);
      types.add(type[1]!);
    } else if (line !== '' && !line.startsWith('# HELP ')) {
      const [, series, name, value] = /^((\w+)(?:\{(?:\w+="[^"\n]*",?)+\})?) (\S+)$/.exec(line) ?? [];
      expect(series, line).toBeDefined();
      const family = name!.replace(/_(?:bucket|sum|count)$/, '');
      expect(types.has(name!) || types.has(family), line).toBe(true);
      expect(values.has(series!), line).toBe(false);
      values.set(series!, Number(value));
    }
  }
  return values;
}
