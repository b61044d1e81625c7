import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cancelRequest } from '../../../src/domain/bundle-requests/cancel.ts';
import { followRequest, followRequests } from '../../../src/domain/bundle-requests/follow.ts';
import { retryRequest } from '../../../src/domain/bundle-requests/retry.ts';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { forgetWorkers } from '../../../src/domain/database/sql/forget-workers.ts';
import { readFeedEnd } from '../../../src/domain/database/sql/read-events.ts';
import { foldTallies, readTallies } from '../../../src/domain/database/sql/tallies.ts';
import { readWorkerTotals } from '../../../src/domain/database/sql/worker-totals.ts';
import { EventHub } from '../../../src/domain/events/event-hub.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { LogWriter } from '../../../src/domain/logs/log-writer.ts';
import { readLog } from '../../../src/domain/logs/read-log.ts';
import { applyRetention, explainRetention } from '../../../src/domain/retention/apply-retention.ts';
import { testDatabase } from '../../support/database.ts';
import { MemoryBlobStore } from '../../support/memory-blob-store.ts';
import { submit, take } from '../../support/requests.ts';

const NEVER = {
  requestRetention: null,
  buildRetention: null,
  logRetention: null,
  eventRetention: null,
  auditRetention: null,
  deadJobRetention: null,
};
const DAY = 86_400;
const SETTINGS = readSettings({});

describe('retention', () => {
  let database: Database;
  let hub: EventHub;
  beforeAll(async () => {
    database = await testDatabase();
    hub = new EventHub(database);
    await hub.start();
  });
  afterAll(async () => {
    await hub.close();
    await database.close();
  });
  beforeEach(async () => {
    const { sql } = database;
    for (const table of ['image_builds', 'bundle_requests', 'events', 'log_streams', 'retention_positions']) {
      await sql.query(`delete from ${table}`);
    }
  });

  type Ages = Partial<Record<keyof typeof NEVER, number>>;
  /** What each rule that is on would remove, and did. */
  const apply = async (ages: Ages, goesOn = async () => true) => {
    const explained = await explainRetention(database, { ...NEVER, ...ages });
    const done = await applyRetention(database, { ...NEVER, ...ages }, { goesOn });
    const shown = (counts: typeof done) =>
      Object.fromEntries(counts.filter(({ age }) => age !== null).map(({ rule, count }) => [rule, count]));
    return { explained: shown(explained), done: shown(done) };
  };
  const rows = async (table: string): Promise<number> =>
    (await database.sql.query(`select from ${table}`)).length;
  /** A request that was changed last so many days ago. */
  const requestOf = async (state: string, days: number): Promise<number> => {
    const { id } = await submit(database, { packageManagers: ['npm'] });
    await database.sql.query(
      `update bundle_requests set state = $2, updated_at = now() - make_interval(days => $3),
         finished_at = case when $2 <> 'in_progress' then now() end
       where id = $1`,
      [id, state, days],
    );
    return id;
  };
  const requestIds = async (): Promise<number[]> =>
    (await database.sql.query<{ id: number }>('select id from bundle_requests order by id')).map(
      ({ id }) => id,
    );

  test('by default, everything that users made is remembered', () => {
    const { requestRetention, buildRetention, auditRetention } = SETTINGS;
    expect([requestRetention, buildRetention, auditRetention]).toEqual([null, null, null]);
    const { logRetention, eventRetention, deadJobRetention } = SETTINGS;
    expect([logRetention, eventRetention, deadJobRetention]).toEqual([365 * DAY, 30 * DAY, 90 * DAY]);
    expect(readSettings({ STOWAGE_LOG_RETENTION: 'never' }).logRetention).toBeNull();
    expect(() => readSettings({ STOWAGE_AUDIT_RETENTION: '29d' })).toThrow(
      'STOWAGE_AUDIT_RETENTION must be 30d at least, or never, not "29d"',
    );
  });

  test('requests that are over and have nothing to give go with all that belongs to them', async () => {
    const kept = [
      await requestOf('complete', 900),
      await requestOf('in_progress', 900),
      await requestOf('failed', 9),
    ];
    for (const state of ['stale', 'failed', 'cancelled']) await requestOf(state, 11);
    expect(await apply({})).toEqual({ explained: {}, done: {} });
    expect(await apply({ requestRetention: 10 * DAY })).toEqual({
      explained: { requests: 3 },
      done: { requests: 3 },
    });
    expect(await requestIds()).toEqual(kept);
    const left = await database.sql.query<{ id: number }>(
      `select distinct subject_id as id from events where subject_type = 'bundle-request' order by id`,
    );
    expect(left.map(({ id }) => id)).toEqual(kept);
    expect(await rows('bundle_request_steps')).toBe(9);
  });

  test('more than one batch; who says stop leaves the rest to the next run', async () => {
    for (let index = 0; index < 3; index += 1) await requestOf('failed', 11);
    await database.sql.query(
      `insert into bundle_requests (repository, rules, package_managers, state, state_reason, updated_at)
       select 'r', 'native', '{}', 'failed', '', now() - interval '20 days' from generate_series(1, 210)`,
    );
    let batches = 0;
    const once = await apply({ requestRetention: 10 * DAY }, async () => {
      batches += 1;
      return batches === 1;
    });
    expect(once).toEqual({ explained: { requests: 213 }, done: { requests: 100 } });
    const rest = await Promise.all([1, 2].map(() => apply({ requestRetention: 10 * DAY })));
    expect(rest.reduce((sum, { done }) => sum + done.requests!, 0)).toBe(113);
    expect(await requestIds()).toEqual([]);
  });

  test('a request that a build was made from stays', async () => {
    const id = await requestOf('stale', 11);
    await buildOf('failed', 0, { requestId: id });
    expect((await apply({ requestRetention: 10 * DAY })).done).toEqual({ requests: 0 });
    await database.sql.query('delete from image_builds');
    expect((await apply({ requestRetention: 10 * DAY })).done).toEqual({ requests: 1 });
  });

  test('a stored source stays as old as its newest request was', async () => {
    const { sql } = database;
    const digest = `sha256:${'1'.repeat(64)}`;
    await sql.query('insert into blobs (digest, size, crc32) values ($1, 1, 0)', [digest]);
    await sql.query(
      `insert into source_snapshots (origin, commit, tree_id, commit_time, index_digest, pack_digest, size, files)
       values ('git.example/app', $1, 't', 0, $2, $2, 1, 1)`,
      ['a'.repeat(40), digest],
    );
    const ids = [await requestOf('failed', 12), await requestOf('failed', 11)];
    await apply({ requestRetention: 10 * DAY });
    const later = await requestOf('failed', 11);
    await apply({ requestRetention: 10 * DAY });
    expect(ids).toHaveLength(2);
    expect(await sql.query('select commit, request_id as id from forgotten_requests')).toEqual([
      { commit: 'a'.repeat(40), id: later },
    ]);
  });

  /** A build that ended so many days ago. */
  const buildOf = async (
    state: string,
    days: number,
    { version = '1.0', requestId = null as number | null, digest = null as string | null } = {},
  ): Promise<number> => {
    const { sql } = database;
    const [row] = await sql.query<{ id: number }>(
      `with project as (
         insert into projects (name) values ('apps') on conflict (name) do update set name = 'apps' returning id
       ), image as (
         insert into published_images (project_id, repository, name, path)
         select id, 'images', 'web', 'apps/images/web' from project
         on conflict (path) do update set name = 'web' returning id, project_id
       ), version as (
         insert into published_versions (image_id, name) select id, $1 from image
         on conflict (image_id, name) do update set name = $1 returning id
       )
       insert into image_builds (version_id, project_id, request_id, options, state, digest, finished_at)
       select version.id, image.project_id, $2, '{}', $3, $4, now() - make_interval(days => $5)
       from version, image returning id`,
      [version, requestId, state, digest, days],
    );
    return row!.id;
  };

  test('builds go that nobody can see the result of, except the newest of each version', async () => {
    const { sql } = database;
    const digest = `sha256:${'2'.repeat(64)}`;
    const tagged = await buildOf('succeeded', 100, { digest });
    await sql.query('insert into blobs (digest, size, crc32) values ($1, 1, 0) on conflict do nothing', [
      digest,
    ]);
    await sql.query(
      `with repository as (
         insert into repositories (project_id, name) select id, 'images' from projects where name = 'apps' returning id
       ), image as (
         insert into images (repository_id, name, path) select id, 'web', 'apps/images/web' from repository returning id
       )
       insert into manifests (image_id, digest, media_type, size, image_size) select id, $1, 'm', 1, 1 from image`,
      [digest],
    );
    const young = await buildOf('failed', 9);
    await buildOf('failed', 11);
    await buildOf('cancelled', 11);
    const newest = await buildOf('succeeded', 11, { digest: `sha256:${'3'.repeat(64)}` });
    const other = await buildOf('failed', 100, { version: '2.0' });
    expect(await apply({ buildRetention: 10 * DAY })).toEqual({
      explained: { builds: 2 },
      done: { builds: 2 },
    });
    const left = await sql.query<{ id: number }>('select id from image_builds order by id');
    expect(left.map(({ id }) => id)).toEqual([tagged, young, newest, other]);
  });

  test('logs of what has ended are emptied, and say that no more comes', async () => {
    const blobs = new MemoryBlobStore();
    const { id } = await submit(database);
    const running = await submit(database);
    for (const subjectId of [id, running.id]) {
      const log = new LogWriter(
        database,
        { subjectType: 'bundle-request', subjectId },
        'test',
        (text) => text,
      );
      log.info('a line');
      await log.flush();
    }
    await cancelRequest(database, SYSTEM, id);
    const linesOf = async (subjectId: number) => {
      const page = await readLog(database, blobs, { subjectType: 'bundle-request', subjectId }, 0);
      return [page.lines.length, page.total, page.closed];
    };
    expect((await apply({ logRetention: 10 * DAY })).done).toEqual({ logs: 0 });
    await database.sql.query(`update log_streams set closed_at = now() - interval '11 days' where closed`);
    expect(await apply({ logRetention: 10 * DAY })).toEqual({ explained: { logs: 1 }, done: { logs: 1 } });
    expect([await linesOf(id), await linesOf(running.id)]).toEqual([
      [0, 0, true],
      [1, 1, false],
    ]);
    expect((await apply({ logRetention: 10 * DAY })).done).toEqual({ logs: 0 });
    // A retry writes on, and its end counts anew.
    await retryRequest(database, SETTINGS, SYSTEM, id);
    await cancelRequest(database, SYSTEM, id);
    expect((await apply({ logRetention: 10 * DAY })).done).toEqual({ logs: 0 });
  });

  test('the age of a log that an older release closed counts from when it is seen', async () => {
    await database.sql.query(
      `insert into log_streams (subject_type, subject_id, lines, closed) values ('bundle-request', 1, 5, true)`,
    );
    expect((await apply({ logRetention: 10 * DAY })).done).toEqual({ logs: 0 });
    const [row] = await database.sql.query<{ dated: boolean }>(
      'select closed_at = statement_timestamp() or closed_at > now() - interval $$1 hour$$ as dated from log_streams',
    );
    expect(row).toEqual({ dated: true });
  });

  describe('events', () => {
    /** The types and versions of what a subscriber is given. */
    const followed = async (id: number, afterVersion: number): Promise<string[]> => {
      const signal = AbortSignal.timeout(30_000);
      const seen: string[] = [];
      for await (const event of await followRequest({ database, hub }, SYSTEM, id, afterVersion, signal)) {
        seen.push(`${event.version} ${event.type}`);
      }
      return seen;
    };
    /** All events that there are by now are so many days old. */
    const age = (days: number) =>
      database.sql.query('update events set at = now() - make_interval(days => $1)', [days]);

    test('who resumes from a version that is gone is told how things are, and goes on', async () => {
      const request = await submit(database, { packageManagers: ['npm'] });
      await take(database, request, 'fetch-source');
      await cancelRequest(database, SYSTEM, request.id);
      await retryRequest(database, SETTINGS, SYSTEM, request.id);
      await age(40);
      const { version } = (
        await database.sql.query<{ version: number }>('select version from bundle_requests where id = $1', [
          request.id,
        ])
      )[0]!;
      const all = await database.sql.query<{ version: number; type: string }>(
        'select version, type from events order by version',
      );
      const newest = (type: string) => all.filter((one) => one.type === type).at(-1)!.version;
      const kept = [...new Set(all.map((one) => one.type))].map(newest).sort((a, b) => a - b);
      expect(all.length).toBeGreaterThan(kept.length);
      expect(await apply({ eventRetention: 30 * DAY })).toEqual({
        explained: { events: all.length - kept.length },
        done: { events: all.length - kept.length },
      });
      expect(kept.at(-1)).toBe(version);
      // It goes on: what happens from here on comes behind what is known of before.
      const subscriber = followed(request.id, 1);
      await cancelRequest(database, SYSTEM, request.id);
      const told = await subscriber;
      expect(told.slice(0, kept.length)).toEqual(
        kept.map((one) => `${one} ${all.find((event) => event.version === one)!.type}`),
      );
      expect(told.slice(kept.length)).toContain(`${version + 1} state`);
      expect(Number.parseInt(told.at(-1)!, 10)).toBe(version + told.length - kept.length);
      // And one that comes when all is over is told the end.
      expect((await followed(request.id, 1)).at(-1)).toBe(told.at(-1));
    });

    test('the feed has the newest of each type of what happened since', async () => {
      const first = await submit(database);
      const { cursor } = await readFeedEnd(database.sql);
      await cancelRequest(database, SYSTEM, first.id);
      const second = await submit(database);
      await age(40);
      await apply({ eventRetention: 30 * DAY });
      await cancelRequest(database, SYSTEM, second.id);
      const ending = new AbortController();
      const states: string[] = [];
      for await (const { subjectId, type, data } of await followRequests(
        { database, hub },
        SYSTEM,
        cursor,
        ending.signal,
      )) {
        if (type !== 'state') continue;
        states.push(`${subjectId} ${data.state}`);
        if (states.length === 3) ending.abort();
      }
      expect(states).toEqual([`${first.id} cancelled`, `${second.id} in_progress`, `${second.id} cancelled`]);
    });

    test('young ones stay; a later run goes on where the last one stopped', async () => {
      const insert = (from: number, to: number, days: number) =>
        database.sql.query(
          `insert into events (subject_type, subject_id, version, type, at)
           select 'image', 1, n, 'tag', now() - make_interval(days => $3) from generate_series($1::int, $2::int) n`,
          [from, to, days],
        );
      await insert(1, 4_500, 40);
      await insert(4_501, 4_510, 20);
      expect((await apply({ eventRetention: 30 * DAY })).done).toEqual({ events: 4_499 });
      expect(await rows('events')).toBe(11);
      expect((await apply({ eventRetention: 30 * DAY })).done).toEqual({ events: 0 });
      expect((await apply({ eventRetention: 10 * DAY })).done).toEqual({ events: 10 });
      expect(await rows('events')).toBe(1);
    });
  });

  test('entries of the audit log go with their endings, and never within 30 days', async () => {
    const { sql } = database;
    await sql.query(
      `with attempt as (
         insert into audit_log (at, user_name, action, details)
         select now() - make_interval(days => days), 'ada', 'a' || days, '{}' from unnest(array[200, 150, 100, 40]) days
         returning id, action
       )
       insert into audit_log (at, user_name, action, details, attempt_id, code)
       select now() - make_interval(days => days), 'ada', action, '{}', id, 'failed'
       from attempt, (values ('a200', 199), ('a150', 1)) late (name, days) where action = late.name`,
    );
    const left = async (): Promise<string[]> =>
      (await sql.query<{ action: string }>('select action from audit_log order by id')).map(
        ({ action }) => action,
      );
    expect(await apply({ auditRetention: 60 * DAY })).toEqual({
      explained: { 'audit-log': 2 },
      done: { 'audit-log': 2 },
    });
    expect((await left()).sort()).toEqual(['a150', 'a150', 'a40']);
    await expect(apply({ auditRetention: 1 })).rejects.toThrow('the audit log is only ever added to');
    await expect(
      database.transaction(async (tx) => {
        await tx.sql.query(`select set_config('stowage.retention', 'on', true)`);
        await tx.sql.query(`delete from audit_log where at > now() - interval '2 days'`);
      }),
    ).rejects.toThrow('the audit log is only ever added to');
  });

  test('jobs that failed for good go, others stay', async () => {
    const { sql } = database;
    await sql.query(
      `select graphile_worker.add_job('collect-garbage', '{}', job_key := 'job:' || n, max_attempts := 1,
         run_at := now() - make_interval(days => case n when 1 then 91 else 89 end))
       from generate_series(1, 3) n`,
    );
    await sql.query(`update graphile_worker._private_jobs set attempts = 1 where key in ('job:1', 'job:2')`);
    expect(await apply({ deadJobRetention: 90 * DAY })).toEqual({
      explained: { 'dead-jobs': 1 },
      done: { 'dead-jobs': 1 },
    });
    const left = await sql.query(`select key from graphile_worker.jobs where key like 'job:%' order by key`);
    expect(left).toEqual([{ key: 'job:2' }, { key: 'job:3' }]);
  });

  test('what workers have counted stays when they are forgotten', async () => {
    const { sql } = database;
    await sql.query(
      `insert into workers (id, host, pid, pool_id, concurrency, metrics, stopped_at)
       select gen_random_uuid(), 'h', 1, 'p', 1, '{"a_total": 2, "broken": "x"}', now() - make_interval(days => days)
       from unnest(array[40, 35, 1]) days`,
    );
    const totals = await readWorkerTotals(sql);
    expect(totals.counters).toEqual({ a_total: 6 });
    expect([await forgetWorkers(sql), await forgetWorkers(sql)]).toEqual([2, 0]);
    expect(await readWorkerTotals(sql)).toEqual(totals);
    expect(await rows('workers')).toBe(1);
  });

  test('totals are those of a count, before and after changes are made one', async () => {
    for (const state of ['failed', 'failed', 'complete', 'in_progress']) await requestOf(state, 11);
    await apply({ requestRetention: 10 * DAY });
    const states = async () => {
      const found = (await readTallies(database.sql, 'bundle-request')).states.filter(
        ({ count }) => count > 0,
      );
      return found.map(({ state, count }) => ({ state, count })).sort((a, b) => (a.state < b.state ? -1 : 1));
    };
    const counted = await database.sql.query(
      'select state, count(*) from bundle_requests group by 1 order by 1',
    );
    expect(await states()).toEqual(counted);
    const before = await readTallies(database.sql, 'bundle-request');
    await Promise.all([foldTallies(database), foldTallies(database)]);
    expect(await states()).toEqual(counted);
    const ended = ({ durations }: typeof before) => durations.reduce((sum, { count }) => sum + count, 0);
    expect(ended(await readTallies(database.sql, 'bundle-request'))).toBe(ended(before));
  });
});
