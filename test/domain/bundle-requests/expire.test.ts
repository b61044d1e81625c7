import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BundleRequest, RequestState } from '../../../src/domain/bundle-requests/bundle-request.ts';
import { changeState } from '../../../src/domain/bundle-requests/change-state.ts';
import { expireRequests } from '../../../src/domain/bundle-requests/expire.ts';
import { endRequest } from '../../../src/domain/bundle-requests/run-step.ts';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { findRequest, findSteps, lockRequest } from '../../../src/domain/database/sql/bundle-request-rows.ts';
import { deleteUnusedBundles } from '../../../src/domain/database/sql/delete-unused-bundles.ts';
import { insertBundle } from '../../../src/domain/database/sql/insert-bundle.ts';
import {
  insertComponents,
  insertPackageVersions,
} from '../../../src/domain/database/sql/insert-dictionaries.ts';
import { insertRequestComponents } from '../../../src/domain/database/sql/insert-request-components.ts';
import { insertRequestPackages } from '../../../src/domain/database/sql/insert-request-packages.ts';
import { readSubjectEvents } from '../../../src/domain/database/sql/read-events.ts';
import { recordBlobs } from '../../../src/domain/database/sql/record-blobs.ts';
import { LogWriter } from '../../../src/domain/logs/log-writer.ts';
import { readLog } from '../../../src/domain/logs/read-log.ts';
import { testDatabase } from '../../support/database.ts';
import { deletedBlobs } from '../../support/deleted-blobs.ts';
import { MemoryBlobStore } from '../../support/memory-blob-store.ts';
import { submit, take } from '../../support/requests.ts';

const NO_SIGNAL = new AbortController().signal;
const DEFAULTS = readSettings({});
const digest = (digit: string) => `sha256:${digit.repeat(64)}` as const;
const EXPIRED = { state: 'stale', stateReason: 'The request has expired' };

describe('expiry', () => {
  let database: Database;
  const blobs = new MemoryBlobStore();
  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await database.sql.query('delete from bundle_requests');
    await database.sql.query('delete from bundles');
  });

  const settings = (environment: Record<string, string> = {}) => readSettings(environment);
  const expire = (lifetimes = DEFAULTS) => expireRequests(database, lifetimes, NO_SIGNAL);
  /** A request in a state that was reached so many hours ago. */
  const requestOf = async (
    rules: 'native' | 'cachito',
    state: RequestState,
    hours: number,
  ): Promise<BundleRequest> => {
    const submitted = await submit(database, { packageManagers: ['npm'] });
    await database.sql.query('update bundle_requests set rules = $2 where id = $1', [submitted.id, rules]);
    await database.transaction(async (tx) => {
      const request = await lockRequest(tx.sql, submitted.id);
      if (state === 'in_progress') return;
      await changeState(tx.sql, request, state, 'for the test');
      await endRequest(tx, request);
    });
    await database.sql.query(
      'update bundle_requests set updated_at = now() - make_interval(hours => $2) where id = $1',
      [submitted.id, hours],
    );
    return (await findRequest(database.sql, submitted.id))!;
  };
  const stateOf = async ({ id }: { id: number }) => (await findRequest(database.sql, id))!.state;

  test.each<[string, 'native' | 'cachito', RequestState, number, boolean, Record<string, string>]>([
    ['complete, a day old', 'cachito', 'complete', 25, true, {}],
    ['complete, not yet a day old', 'cachito', 'complete', 23, false, {}],
    ['in progress without change for a day', 'cachito', 'in_progress', 25, true, {}],
    ['in progress, younger', 'cachito', 'in_progress', 23, false, {}],
    ['failed, a day old', 'cachito', 'failed', 25, false, {}],
    ['failed, a week old', 'cachito', 'failed', 7 * 24 + 1, true, {}],
    ['cancelled, six days old', 'cachito', 'cancelled', 6 * 24, false, {}],
    ['cancelled, a week old', 'cachito', 'cancelled', 7 * 24 + 1, true, {}],
    ['stale already', 'cachito', 'stale', 1000, false, {}],
    ['native and complete, years old', 'native', 'complete', 20_000, false, {}],
    ['native and failed, years old', 'native', 'failed', 20_000, false, {}],
    ['a setting for complete ones', 'cachito', 'complete', 2, true, { STOWAGE_REQUEST_LIFETIME: '1h' }],
    [
      'the other setting for failed ones',
      'cachito',
      'failed',
      25,
      true,
      { STOWAGE_REQUEST_LIFETIME_FAILED: '1d' },
    ],
    [
      'which is not for complete ones',
      'cachito',
      'complete',
      2,
      false,
      { STOWAGE_REQUEST_LIFETIME_FAILED: '1h' },
    ],
    ['native, with a setting', 'native', 'complete', 25, true, { STOWAGE_NATIVE_REQUEST_LIFETIME: '1d' }],
    [
      'native and cancelled, with it',
      'native',
      'cancelled',
      25,
      true,
      { STOWAGE_NATIVE_REQUEST_LIFETIME: '1d' },
    ],
    [
      'native in progress, with it',
      'native',
      'in_progress',
      25,
      false,
      { STOWAGE_NATIVE_REQUEST_LIFETIME: '1d' },
    ],
    [
      'native that never expires',
      'native',
      'complete',
      25,
      false,
      { STOWAGE_NATIVE_REQUEST_LIFETIME: 'never' },
    ],
  ])('%s', async (_case, rules, state, hours, expires, environment) => {
    const request = await requestOf(rules, state, hours);
    expect(await expire(settings(environment))).toEqual({
      expired: expires ? [request.id] : [],
      failures: [],
    });
    expect(await stateOf(request)).toBe(expires ? 'stale' : state);
  });

  test('the change is an event and moves updated; a second run does nothing', async () => {
    const request = await requestOf('cachito', 'complete', 30);
    await Promise.all([expire(), expire()]);
    expect((await expire()).expired).toEqual([]);
    const stale = (await findRequest(database.sql, request.id))!;
    expect(stale).toMatchObject(EXPIRED);
    expect(Date.now() - stale.updatedAt.getTime()).toBeLessThan(60_000);
    const events = await readSubjectEvents(database.sql, 'bundle-request', request.id, 0, 100);
    const states = events.filter((event) => event.type === 'state').map((event) => event.data);
    expect(states.filter((data) => data.state === 'stale')).toEqual([
      { state: 'stale', reason: 'The request has expired' },
    ]);
  });

  test('the steps of one in progress end, and its worker changes nothing any more', async () => {
    const request = await requestOf('cachito', 'in_progress', 30);
    const lease = await take(database, request, 'fetch-source');
    const log = new LogWriter(
      database,
      { subjectType: 'bundle-request', subjectId: request.id },
      'fetch-source',
      (text) => text,
    );
    log.info('before');
    await log.flush();
    await database.sql.query(
      `update bundle_requests set updated_at = now() - interval '2 days' where id = $1`,
      [request.id],
    );
    await expire();
    expect(lease).not.toBeNull();
    expect((await findSteps(database.sql, request.id)).map((step) => step.state)).toEqual([
      'cancelled',
      'cancelled',
      'cancelled',
    ]);
    expect(await take(database, request, 'fetch-source')).toBeNull();
    log.info('too late');
    await log.flush();
    const subject = { subjectType: 'bundle-request', subjectId: request.id } as const;
    expect(await readLog(database, blobs, subject, 0)).toEqual({ lines: [], total: 0, closed: true });
  });

  test('what it had made is gone, counts, environment, files and the recorded error stay', async () => {
    const complete = await requestOf('cachito', 'complete', 30);
    const neighbour = await requestOf('cachito', 'complete', 1);
    await give(complete.id, 'a');
    await give(neighbour.id, 'a');
    await expire();
    expect(await findRequest(database.sql, complete.id)).toMatchObject({
      ...EXPIRED,
      bundleDigest: null,
      cyclonedxDigest: null,
      spdxDigest: null,
      provenanceDigest: null,
      packagesCount: 1,
      dependenciesCount: 1,
    });
    const rows = async (table: string, id: number) =>
      (await database.sql.query(`select from ${table} where request_id = $1`, [id])).length;
    expect(await rows('request_packages', complete.id)).toBe(0);
    expect(await rows('request_components', complete.id)).toBe(0);
    expect(await rows('bundle_request_environment', complete.id)).toBe(1);
    expect(await rows('request_packages', neighbour.id)).toBe(1);
    expect((await findRequest(database.sql, neighbour.id))!.bundleDigest).toBe(digest('a'));
  });

  test('bundles and blobs that nothing else names are freed after a while', async () => {
    const both = [await requestOf('cachito', 'complete', 30), await requestOf('cachito', 'complete', 30)];
    for (const { id } of both) await give(id, 'b');
    const alone = await requestOf('cachito', 'complete', 30);
    await give(alone.id, 'c');
    await database.sql.query('update bundle_requests set updated_at = now() where id = $1', [both[0]!.id]);
    await expire();
    expect(await deleteUnusedBundles(database, 3600)).toBe(0);
    await database.sql.query(`update bundles set last_used_at = now() - interval '2 hours'`);
    await database.sql.query(`update blobs set created_at = now() - interval '2 hours'`);
    expect(await deleteUnusedBundles(database, 3600)).toBe(1);
    const freed = await deletedBlobs(database.sql, 3600);
    expect(freed).toContain(digest('c'));
    expect(freed).not.toContain(digest('b'));
  });

  test('a failed request keeps its recorded error', async () => {
    const request = await requestOf('cachito', 'failed', 200);
    await database.sql.query(
      `update bundle_requests set error = '{"errorType": "GoModError"}' where id = $1`,
      [request.id],
    );
    await expire();
    expect(await findRequest(database.sql, request.id)).toMatchObject({
      ...EXPIRED,
      error: { errorType: 'GoModError' },
    });
  });

  test('one that cannot be changed does not keep the others', async () => {
    const first = await requestOf('cachito', 'complete', 30);
    const second = await requestOf('cachito', 'complete', 30);
    // A version that is taken already: its next event breaks a rule of the table.
    await database.sql.query(
      `insert into events (subject_type, subject_id, version, type)
       select 'bundle-request', id, version + 1, 'state' from bundle_requests where id = $1`,
      [first.id],
    );
    const { expired, failures } = await expire();
    expect(expired).toEqual([second.id]);
    expect(failures.map(({ id }) => id)).toEqual([first.id]);
  });

  /** Everything that a complete request has, made of one blob. */
  async function give(id: number, digit: string): Promise<void> {
    const one = digest(digit);
    const { sql } = database;
    await recordBlobs(sql, [{ digest: one, size: 1, crc32: 0 }]);
    await insertBundle(sql, {
      manifestDigest: one,
      tarDigest: one,
      tarSize: 1,
      archiveDigest: one,
      archiveSize: 1,
      writerVersion: '1',
      sourceMemberDigest: one,
      reproducibleDigest: null,
      entries: 1,
      blobs: [one],
    });
    const packages = [
      {
        name: 'app',
        type: 'npm' as const,
        version: '1.0.0',
        path: '.',
        dependencies: [{ name: 'a', type: 'npm' as const, version: '1.0.0', dev: false, replaces: null }],
      },
    ];
    const components = [
      {
        purl: 'pkg:npm/a@1.0.0',
        type: 'npm',
        name: 'a',
        version: '1.0.0',
        isSourcePackage: false,
        properties: {},
      },
    ];
    await insertPackageVersions(sql, packages as never);
    await insertRequestPackages(sql, id, packages as never);
    await insertComponents(sql, components as never);
    await insertRequestComponents(sql, id, components as never);
    await sql.query(
      `insert into bundle_request_environment (request_id, form, name, value, kind)
       values ($1, 'registry', 'A', 'b', 'literal')`,
      [id],
    );
    await sql.query(
      `update bundle_requests set bundle_digest = $2, cyclonedx_digest = $2, spdx_digest = $2, provenance_digest = $2,
         packages_count = 1, dependencies_count = 1
       where id = $1`,
      [id, one],
    );
  }
});
