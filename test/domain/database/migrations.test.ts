import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { migrate } from '../../../src/domain/database/migrate.ts';
import { testDatabase } from '../../support/database.ts';

const NAMES = readdirSync(join(import.meta.dirname, '../../../migrations'));

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
