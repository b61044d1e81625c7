import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cancelRequest } from '../../../src/domain/bundle-requests/cancel.ts';
import { recordSource } from '../../../src/domain/bundle-requests/record-source.ts';
import { retryRequest } from '../../../src/domain/bundle-requests/retry.ts';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { findSteps } from '../../../src/domain/database/sql/bundle-request-rows.ts';
import { findSnapshot, insertSnapshot } from '../../../src/domain/database/sql/source-snapshots.ts';
import { SYSTEM } from '../../../src/domain/identity/principal.ts';
import { findPrunableSources, pruneBefore, pruneSource } from '../../../src/domain/sources/prune-sources.ts';
import { testDatabase } from '../../support/database.ts';
import { deletedBlobs } from '../../support/deleted-blobs.ts';
import { submit, take } from '../../support/requests.ts';

const DEFAULTS = readSettings({});
const NOW = new Date('2026-06-30T12:00:00Z');

describe('which sources are old', () => {
  test.each<[string, string | null, Record<string, string>, string]>([
    ['by default: 730 days', null, {}, '2024-06-30T12:00:00.000Z'],
    ['by a setting', null, { STOWAGE_PRUNE_AGE: '400d' }, '2025-05-26T12:00:00.000Z'],
    ['by a date', '2023-01-31', {}, '2023-01-31T00:00:00.000Z'],
    ['by the newest date possible', '2025-06-30', {}, '2025-06-30T00:00:00.000Z'],
    ['with another minimum', '2026-06-28', { STOWAGE_PRUNE_MINIMUM_AGE: '1d' }, '2026-06-28T00:00:00.000Z'],
  ])('%s', (_case, olderThan, environment, expected) => {
    expect(pruneBefore(olderThan, readSettings(environment), NOW).toISOString()).toBe(expected);
  });

  test.each<[string, string | null, Record<string, string>, string]>([
    [
      'a date within a year',
      '2025-07-01',
      {},
      'Sources with a request after 2025-06-30 are never removed, 2025-07-01 is newer',
    ],
    [
      'an age below the minimum',
      null,
      { STOWAGE_PRUNE_AGE: '30d' },
      'Sources with a request after 2025-06-30 are never removed, 2026-05-31 is newer',
    ],
    ['another form', '31.01.2020', {}, '"31.01.2020" is not a date; write it like 2024-01-31'],
    ['a day that does not exist', '2023-02-30', {}, '"2023-02-30" is not a date; write it like 2024-01-31'],
    ['a time', '2023-01-31T00:00:00Z', {}, '"2023-01-31T00:00:00Z" is not a date; write it like 2024-01-31'],
    ['nothing', '', {}, '"" is not a date; write it like 2024-01-31'],
  ])('refused: %s', (_case, olderThan, environment, message) => {
    expect(() => pruneBefore(olderThan, readSettings(environment), NOW)).toThrow(
      expect.objectContaining({ name: 'InvalidInputError', message }),
    );
  });
});

describe('pruning', () => {
  let database: Database;
  beforeAll(async () => {
    database = await testDatabase();
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await database.sql.query('delete from bundle_requests');
    await database.sql.query('delete from source_snapshots');
  });

  const before = pruneBefore(null, DEFAULTS, new Date());
  const found = async (limit: number | null = null): Promise<string[]> =>
    (await findPrunableSources(database.sql, before, limit)).map(({ commit }) => commit.slice(0, 1));

  /** A source with the commit `ccc…`, last used so many days ago. */
  const source = async (letter: string, days: number, origin = 'git.example/app'): Promise<number> => {
    const blob = { digest: `sha256:${letter.repeat(64)}` as const, size: 1, crc32: 0 };
    await insertSnapshot(
      database.sql,
      {
        origin,
        commit: letter.repeat(40),
        submodules: 'none',
        treeId: letter.repeat(40),
        time: 0,
        index: blob.digest,
        pack: blob.digest,
        size: 10,
        files: 1,
      },
      [blob],
    );
    const [row] = await database.sql.query<{ id: number }>(
      `update source_snapshots set last_used_at = now() - make_interval(days => $1)
       where commit = $2 and origin = $3 returning id`,
      [days, letter.repeat(40), origin],
    );
    return row!.id;
  };
  /** A request of so many days ago. */
  const request = async (letter: string, days: number, by: 'ref' | 'commit' | 'snapshot' = 'ref') => {
    const submitted = await submit(database, { ref: by === 'ref' ? letter.repeat(40) : 'main' });
    await database.sql.query(
      `update bundle_requests set created_at = now() - make_interval(days => $2),
         commit = case when $3 = 'commit' then $4 end,
         snapshot_id = case when $3 = 'snapshot' then (select id from source_snapshots where commit = $4) end
       where id = $1`,
      [submitted.id, days, by, letter.repeat(40)],
    );
    return submitted;
  };

  test('the newest request decides, however it names the source; those without any are left alone', async () => {
    for (const letter of ['a', 'b', 'c', 'd', 'e', 'f']) await source(letter, 900);
    await request('a', 800);
    await request('b', 900);
    await request('b', 700);
    await request('c', 800, 'commit');
    await request('d', 850, 'snapshot');
    await request('e', 729);
    expect(await found()).toEqual(['d', 'a', 'c']);
    expect(await found(2)).toEqual(['d', 'a']);
    const [oldest] = await findPrunableSources(database.sql, before, 1);
    expect(oldest).toMatchObject({ origin: 'git.example/app', commit: 'd'.repeat(40), size: 10 });
  });

  test('a fork counts for the same commit; a use that is no request counts, too', async () => {
    await source('a', 900);
    await source('a', 900, 'git.example/fork');
    await source('b', 100);
    await request('a', 800);
    await request('b', 800);
    expect(await found()).toEqual(['a', 'a']);
    await request('a', 1);
    expect(await found()).toEqual([]);
  });

  test('what is removed gives its blobs back', async () => {
    const id = await source('a', 900);
    await request('a', 800, 'snapshot');
    expect(await deletedBlobs(database.sql, -3600)).not.toContain(`sha256:${'a'.repeat(64)}`);
    expect(await pruneSource(database, id, before)).toBe(true);
    expect(await pruneSource(database, id, before)).toBe(false);
    expect(await found()).toEqual([]);
    expect(await deletedBlobs(database.sql, -3600)).toContain(`sha256:${'a'.repeat(64)}`);
  });

  test('a source that is used again in between stays', async () => {
    const id = await source('a', 900);
    await request('a', 800);
    expect(await found()).toEqual(['a']);
    expect(await findSnapshot(database.sql, 'git.example/app', 'a'.repeat(40), 'none')).not.toBeNull();
    expect(await pruneSource(database, id, before)).toBe(false);
  });

  test('a request whose source was pruned fetches it again when it is retried', async () => {
    const id = await source('a', 900);
    const submitted = await submit(database, { ref: 'a'.repeat(40), packageManagers: ['npm'] });
    const lease = await take(database, submitted, 'fetch-source');
    const snapshot = `sha256:${'a'.repeat(64)}` as const;
    await recordSource(
      database,
      lease!,
      { commit: 'a'.repeat(40), snapshot, files: 1, size: 1, plan: null },
      [],
    );
    await cancelRequest(database, SYSTEM, submitted.id);
    await database.sql.query(
      `update bundle_requests set created_at = now() - interval '900 days' where id = $1`,
      [submitted.id],
    );
    expect(await pruneSource(database, id, before)).toBe(true);
    await retryRequest(database, readSettings({}), SYSTEM, submitted.id);
    const steps = await findSteps(database.sql, submitted.id);
    expect(steps.map((step) => `${step.task} ${step.state}`)).toEqual([
      'fetch-source queued',
      'resolve-packages waiting',
      'assemble-bundle waiting',
    ]);
  });
});
