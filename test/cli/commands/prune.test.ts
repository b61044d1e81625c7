import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../../src/domain/database/database.ts';
import { insertSnapshot } from '../../../src/domain/database/sql/source-snapshots.ts';
import { createTestDatabase, dropTestDatabase } from '../../support/database.ts';
import { submit } from '../../support/requests.ts';
import { stowage } from '../../support/stowage-command.ts';

const COMMIT = 'a'.repeat(40);
let url: string;
let dataDir: string;
let database: Database;

beforeAll(async () => {
  url = await createTestDatabase();
  dataDir = await mkdtemp(join(tmpdir(), 'stowage-prune-'));
  database = await openDatabase({ url, connections: 2 });
  const digest = `sha256:${'1'.repeat(64)}` as const;
  const facts = { treeId: COMMIT, time: 0, index: digest, pack: digest, size: 2_500_000, files: 1 };
  await insertSnapshot(
    database.sql,
    { origin: 'git.example/app', commit: COMMIT, submodules: 'none', ...facts },
    [{ digest, size: 1, crc32: 0 }],
  );
  await submit(database, { ref: COMMIT });
  await database.sql.query(`update bundle_requests set created_at = '2020-02-03T04:05:06Z'`);
  await database.sql.query(`update source_snapshots set last_used_at = '2020-02-03T04:05:06Z'`);
});
afterAll(async () => {
  await database.close();
  await dropTestDatabase(url);
  await rm(dataDir, { recursive: true, force: true });
});

const prune = (...args: string[]) =>
  stowage(['prune', ...args], {
    env: { DATABASE_URL: url, STOWAGE_DATA_DIR: dataDir, STOWAGE_REQUEST_RETENTION: '7d' },
  });
const sources = async (): Promise<number> =>
  (await database.sql.query('select from source_snapshots')).length;

test('it is a dry run unless it is told to go ahead', async () => {
  const table = [
    'SOURCE           COMMIT                                    NEWEST REQUEST   SIZE',
    `git.example/app  ${COMMIT}  1 of 2020-02-03  2.5 MB`,
  ];
  expect(await prune()).toMatchObject({
    status: 0,
    stdout: `${table.join('\n')}\nwould remove 1 source\nnothing was changed (--execute does it)\n`,
    stderr: '',
  });
  expect(await sources()).toBe(1);
  expect(await prune('--older-than', '2020-02-01', '--execute')).toMatchObject({ stdout: 'nothing to do\n' });
  expect(JSON.parse((await prune('--json')).stdout)).toMatchObject({
    removed: false,
    sources: [
      {
        origin: 'git.example/app',
        commit: COMMIT,
        size: 2_500_000,
        requestId: 1,
        requestedAt: '2020-02-03T04:05:06.000Z',
      },
    ],
  });
  expect(await prune('--limit', '1', '--execute')).toMatchObject({
    status: 0,
    stdout: `${table.join('\n')}\nremoved 1 source\nspace comes back with the next garbage collection\n`,
  });
  expect(await sources()).toBe(0);
});

test('it says what each rule of retention would remove, removes it, and is in the audit log', async () => {
  const { sql } = database;
  await submit(database);
  await sql.query(`update bundle_requests set state = 'failed', updated_at = now() - interval '8 days'`);
  await sql.query('truncate events');
  const rule = 'by the rule requests: stale, failed and cancelled requests, with all that belongs to them';
  const dryRun = await prune();
  expect(dryRun.stdout).toBe(
    `would remove 2 ${rule}, older than 7d\nnothing was changed (--execute does it)\n`,
  );
  const { stdout } = await prune('--execute', '--json');
  expect(JSON.parse(stdout)).toEqual({
    removed: true,
    retention: expect.arrayContaining([
      { rule: 'requests', what: rule.slice('by the rule requests: '.length), age: 7 * 86_400, count: 2 },
      expect.objectContaining({ rule: 'builds', age: null, count: 0 }),
    ]),
    sources: [],
  });
  expect(await sql.query('select from bundle_requests')).toEqual([]);
  expect(await sql.query('select action, address, code from audit_log order by id desc limit 1')).toEqual([
    { action: 'prune', address: 'command', code: null },
  ]);
});

test.each([
  [['--older-than', 'yesterday'], '"yesterday" is not a date; write it like 2024-01-31'],
  [['--older-than', '2999-01-01'], 'are never removed, 2999-01-01 is newer'],
  [['--limit', '0'], '--limit must be a whole number, not "0"'],
  [['--limit', 'many'], '--limit must be a whole number, not "many"'],
])('%j is refused', async (args, message) => {
  const { status, stderr } = await prune(...args);
  expect(status).toBe(4);
  expect(stderr).toContain(message);
});
