import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../src/domain/database/database.ts';
import { countRequests, listRequests } from '../../../src/domain/database/sql/list-requests.ts';
import { foldTallies } from '../../../src/domain/database/sql/tallies.ts';
import { ANONYMOUS, type Principal, SYSTEM } from '../../../src/domain/identity/principal.ts';
import { testDatabase } from '../../support/database.ts';

const PER_PAGE = 20;

describe('of many requests', () => {
  let database: Database;
  const users: Record<string, number> = {};

  beforeAll(async () => {
    database = await testDatabase();
    const { sql } = database;
    for (const name of ['ada', 'bob']) {
      const [row] = await sql.query<{ id: number }>('insert into users (name) values ($1) returning id', [
        name,
      ]);
      users[name] = row!.id;
    }
    await sql.query(
      `insert into projects (name, visibility) values ('open', 'public'), ('closed', 'private'), ('others', 'private')`,
    );
    await sql.query(
      `insert into project_members (project_id, user_id, role)
       select id, $1, 'viewer' from projects where name = 'closed'`,
      [users.ada],
    );
    // Numbers with gaps, over several ranges of those that are counted together.
    await sql.query(
      `insert into bundle_requests (id, repository, rules, package_managers, state, state_reason, user_id, project_id)
       overriding system value
       select n * 23, 'r', case n % 3 when 0 then 'cachito' else 'native' end, '{}',
         case when n % 5 = 0 then 'failed' else 'complete' end, '', case n % 7 when 0 then $1::bigint end,
         (select id from projects where name = case n % 4 when 0 then 'open' when 1 then 'closed' when 2 then 'others' end)
       from generate_series(1, 6000) n`,
      [users.bob],
    );
    await sql.query(`update bundle_requests set state = 'stale' where id % 11 = 0`);
    await sql.query('delete from bundle_requests where id % 13 = 0');
  });
  afterAll(() => database.close());

  const userOf = (name: string): Principal => ({ ...SYSTEM, isAdmin: false, userId: users[name]!, name });
  const principals: [string, () => Principal][] = [
    ['an administrator', () => SYSTEM],
    ['nobody in particular', () => ANONYMOUS],
    ['a member of a project', () => userOf('ada')],
    ['somebody with requests in projects of others', () => userOf('bob')],
  ];

  describe.each(principals)('%s', (_name, principalOf) => {
    test.each([
      {},
      { states: ['failed'] },
      { states: ['failed', 'stale'], project: 'closed' },
      { states: [] },
    ])('is told how many there are, and gets every page: %j', async (filter) => {
      const { sql } = database;
      const principal = principalOf();
      const list = (range: { offset?: number; limit: number }) => listRequests(sql, principal, filter, range);
      const all = (await list({ limit: 10_000 })).map(({ id }) => id);
      expect(await countRequests(sql, principal, filter)).toBe(all.length);
      for (let offset = 960; offset < all.length + 2 * PER_PAGE; offset += 37 * PER_PAGE) {
        const page = await list({ offset, limit: PER_PAGE });
        expect(page.map(({ id }) => id)).toEqual(all.slice(offset, offset + PER_PAGE));
      }
    });
  });

  test('what is added up stays what it was', async () => {
    const counts = () => Promise.all(principals.map(([, of]) => countRequests(database.sql, of(), {})));
    const before = await counts();
    await foldTallies(database);
    expect(await counts()).toEqual(before);
    const [rows] = await database.sql.query<{ count: number }>('select count(*) from tallies');
    expect(rows!.count).toBeLessThan(500);
  });
});
