import type pg from 'pg';
import { expect, test } from 'vitest';
import { forgivingPool } from '../../src/workers/forgiving-pool.ts';
import { testDatabase } from '../support/database.ts';

test('a connection may be given back twice, and is free once', async () => {
  await using cleanup = new AsyncDisposableStack();
  const database = cleanup.adopt(await testDatabase(), (one) => one.close());
  const pool = forgivingPool(database.pool);
  const { client, done } = await new Promise<{ client: pg.PoolClient; done: () => void }>(
    (resolve, reject) => {
      pool.connect((error, client, done) => (client ? resolve({ client, done }) : reject(error)));
    },
  );
  expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  done();
  done();
  const { rows } = await pool.query('select 2 as two');
  expect([rows, pool.totalCount, pool.idleCount]).toEqual([[{ two: 2 }], 1, 1]);
  (await pool.connect()).release();
  expect(database.pool.idleCount).toBe(1);
});
