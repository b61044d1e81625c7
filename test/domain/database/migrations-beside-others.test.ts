import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type MigrateOptions, migrate } from '../../../src/domain/database/migrate.ts';
import { createTestDatabase, dropTestDatabase } from '../../support/database.ts';

let url: string;
let directory: string;
let other: pg.Client;
let third: pg.Client;

beforeEach(async () => {
  url = await createTestDatabase();
  directory = await mkdtemp(join(tmpdir(), 'stowage-migrations-'));
  [other, third] = [
    new pg.Client({ connectionString: url, application_name: 'stowage-gateway' }),
    new pg.Client({ connectionString: url }),
  ];
  await Promise.all([other.connect(), third.connect()]);
});
afterEach(async () => {
  await Promise.all([other.end(), third.end()]);
  await dropTestDatabase(url);
  await rm(directory, { recursive: true, force: true });
});

const write = (name: string, text: string): Promise<void> => writeFile(join(directory, name), text);
const columnsOf = async (table: string): Promise<string[]> => {
  const { rows } = await third.query(
    `select column_name as name from information_schema.columns where table_name = $1`,
    [table],
  );
  return rows.map(({ name }) => name);
};

/** Resolves when it has told that it waits. */
async function waiting(options: MigrateOptions = {}) {
  let told: (reason: string) => void = () => undefined;
  const reason = new Promise<string>((resolve) => {
    told = resolve;
  });
  const done = migrate(url, { directory, lockTimeoutMs: 50, ...options, onWait: told });
  done.catch(() => undefined);
  return { done, reason: await reason };
}

test('a migration whose table somebody holds lets others read and write, and is applied when it is free', async () => {
  await write('9000-column.sql', 'alter table bundle_requests add column later text;');
  await other.query('begin; select count(*) from bundle_requests');
  const migration = await waiting();
  expect(migration.reason).toMatch(
    /^migration 9000-column\.sql waits for others to end: the oldest transaction is of stowage-gateway \(pid \d+\), \d+ s$/,
  );
  // Who waited behind the migration would wait until `other` ends, which it does not before this.
  for (let time = 0; time < 5; time += 1) {
    await third.query('select count(*) from bundle_requests');
    await third.query('update bundle_requests set version = version');
  }
  expect(await columnsOf('bundle_requests')).not.toContain('later');
  await other.query('commit');
  expect(await migration.done).toEqual({ applied: ['9000-column.sql'], pending: [] });
  expect(await columnsOf('bundle_requests')).toContain('later');
});

test('it gives up some time, and nothing of it is left', async () => {
  await write(
    '9000-two.sql',
    'create table later (id int);\nalter table bundle_requests add column later text;',
  );
  await other.query('begin; select count(*) from bundle_requests');
  await expect(migrate(url, { directory, lockTimeoutMs: 20, deadlineMs: 60 })).rejects.toMatchObject({
    code: 'migration-failed',
    message: 'Migration 9000-two.sql failed: canceling statement due to lock timeout',
    hint: 'Others hold its tables: look for long transactions in pg_stat_activity.',
  });
  expect(await columnsOf('later')).toEqual([]);
  await other.query('commit');
  expect(await migrate(url, { directory })).toMatchObject({ applied: ['9000-two.sql'] });
});

test('an index is made while others write, by one of many who want to', async () => {
  await write(
    '9000-index.sql',
    '-- The title.\ndrop index concurrently if exists later;\ncreate index concurrently later on users (created_at);\n',
  );
  const insert = (client: pg.Client, name: string) =>
    client.query('insert into users (name) values ($1)', [name]);
  await other.query('begin');
  await insert(other, 'held');
  const migrations = [1, 2, 3].map(() => migrate(url, { directory }));
  const isWaiting = async (): Promise<boolean> => {
    const { rows } = await third.query(
      `select from pg_stat_activity where query like 'create index concurrently%' and wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  };
  await expect.poll(isWaiting).toBe(true);
  await insert(third, 'beside it');
  // Whoever looks what there is to do need not wait either.
  expect(await migrate(url, { directory, dryRun: true })).toEqual({
    applied: [],
    pending: ['9000-index.sql'],
  });
  await other.query('commit');
  const applied = (await Promise.all(migrations)).flatMap((report) => report.applied);
  expect(applied).toEqual(['9000-index.sql']);
  const { rows } = await third.query(
    `select indisvalid as valid from pg_index where indexrelid = 'later'::regclass`,
  );
  expect(rows).toEqual([{ valid: true }]);
});

test('one that was killed while it made an index is done again', async () => {
  await write(
    '9000-index.sql',
    'drop index concurrently if exists later;\ncreate unique index concurrently later on users (disabled_at) nulls not distinct;\n',
  );
  await third.query(`insert into users (name) values ('one'), ('two')`);
  await expect(migrate(url, { directory })).rejects.toMatchObject({ code: 'migration-failed' });
  await third.query(`update users set disabled_at = now() where name = 'two'`);
  expect(await migrate(url, { directory })).toMatchObject({ applied: ['9000-index.sql'] });
  const { rows } = await third.query(
    `select indisvalid as valid from pg_index where indexrelid = 'later'::regclass`,
  );
  expect(rows).toEqual([{ valid: true }]);
});
