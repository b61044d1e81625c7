import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { migrate } from '../../../src/domain/database/migrate.ts';
import { MIGRATIONS } from '../../../src/domain/database/pending-migrations.ts';
import { readFeed, readFeedEnd } from '../../../src/domain/database/sql/read-events.ts';
import { testDatabase } from '../../support/database.ts';
import { lockProblems } from './migration-locks.ts';

const NAMES = readdirSync(MIGRATIONS);

test('each migration has a number of its own, so that their order is the one in which they were written', () => {
  const numbers = NAMES.map((name) => /^(\d{4})-[a-z-]+\.sql$/.exec(name)?.[1]);
  expect(numbers).not.toContain(undefined);
  expect(new Set(numbers).size).toBe(NAMES.length);
});

test('a database of the time before some of them were renamed has nothing to catch up on', async () => {
  const database = await testDatabase();
  try {
    const { sql, url } = database;
    const former = [
      '0015-upstream-images',
      '0016-gateway-addresses',
      '0017-build-sources',
      '0018-account-email',
    ];
    former.push('0018-log-pages', '0018-project-paths', '0019-queue-positions');
    for (const name of former) {
      const subject = name.slice('0000'.length);
      await sql.query(`update migrations set name = $1 where name like '____' || $2`, [
        `${name}.sql`,
        `${subject}.sql`,
      ]);
    }
    const names = await sql.query<{ name: string }>('select name from migrations');
    expect(names.map(({ name }) => name)).toEqual(
      expect.arrayContaining(former.map((name) => `${name}.sql`)),
    );
    expect(names).toHaveLength(NAMES.length);
    expect(await migrate(url)).toEqual({ applied: [], pending: [] });
  } finally {
    await database.close();
  }
});

test('a database that came from another cluster, where more had happened, tells what happens from now on', async () => {
  const database = await testDatabase();
  try {
    const { sql, url } = database;
    const happen = (version: number) =>
      sql.query(
        `insert into events (subject_type, subject_id, version, type) values ('image', 1, $1, 'tag')`,
        [version],
      );
    await happen(1);
    await migrate(url);
    expect(await sql.query('select feed_offset() as offset')).toEqual([{ offset: 0 }]);
    await sql.query(`update events set txid = '900000000000'`);
    await migrate(url);
    await happen(2);
    const told = async () =>
      (await readFeed(sql, 'image', '900000000000.0', 10)).map(({ version }) => version);
    await expect.poll(told).toEqual([1, 2]);
    const { cursor } = await readFeedEnd(sql);
    await migrate(url);
    await happen(3);
    await expect.poll(async () => (await readFeed(sql, 'image', cursor, 10)).length).toBe(1);
  } finally {
    await database.close();
  }
});

/** Earlier ones were made before there was the rule: writers wait while these make indexes and count. */
const FIRST_BY_THE_RULE = '0045';

test.each(NAMES.filter((name) => name >= FIRST_BY_THE_RULE))('%s lets others go on', (name) => {
  expect(lockProblems(readFileSync(join(MIGRATIONS, name), 'utf8'))).toEqual([]);
});

test.each([
  ['create index on events (at);', 'an index of a table that others write to is made concurrently'],
  ['drop index events_at_idx;', 'an index is dropped concurrently'],
  ['alter table events alter column at type date;', 'a column of another type is written anew, row by row'],
  [
    'alter table users add column age int not null;',
    'processes of the release before give the column no value',
  ],
  [
    'alter table users add column at timestamptz default clock_timestamp();',
    'a value for each row is written at once, row by row',
  ],
  [
    'alter table users add check (id > 0);',
    'a constraint is added "not valid", and validated by a statement of its own',
  ],
  [
    'alter table users add constraint one unique (name, id);',
    'a unique index is made concurrently first, and used for the constraint',
  ],
  [
    'alter table users alter column email set not null;',
    'all rows are looked at, and processes of the release before may write others',
  ],
  ['alter table users drop column email;', 'processes of the release before may still need it'],
  ['drop table events;', 'processes of the release before may still need it'],
  ['alter table users rename email to mail;', 'processes of the release before know it by its name'],
  ["update users set email = '';", 'rows that others work on are changed'],
  ['insert into audit_log (action) select name from users;', 'rows that others work on are changed'],
  ['lock table users;', 'everybody else has to wait'],
  ['do $$ begin\n  drop table users;\nend $$;', 'processes of the release before may still need it'],
])('a migration with %j is refused', (text, problem) => {
  expect(lockProblems(`-- A title.\n\n${text}`)).toEqual([
    `${text.split('\n')[0]}: ${problem}`.replace(/;: /, ';: '),
  ]);
});

test.each([
  'create table notes (id bigint primary key, text text not null);\ncreate index on notes (text);\ninsert into notes select 1;',
  'create index concurrently on events (at);',
  "alter table users add column age int,\n  add column colour text not null default 'red';",
  'alter table users add constraint old check (id > 0) not valid;\nalter table users validate constraint old;',
  '-- locks: a table of a few rows\nupdate paused_tasks set reason = null;',
  '-- contract: nothing has used it since 1.4\nalter table users drop column email;',
])('a migration with %j is not', (text) => {
  expect(lockProblems(text)).toEqual([]);
});
