import { expect, test } from 'vitest';
import { isConnectionLost } from '../../../src/domain/database/connection-lost.ts';
import { openDatabase } from '../../../src/domain/database/database.ts';
import { createTestDatabase, dropTestDatabase } from '../../support/database.ts';

test('transactions find a connection, however often the database was restarted', async () => {
  const url = await createTestDatabase();
  const database = await openDatabase({ url, connections: 2 });
  const transaction = () => database.transaction(({ sql }) => sql.query<{ one: number }>('select 1 as one'));
  const failures: unknown[] = [];
  for (let restart = 0; restart < 5; restart++) {
    expect(await Promise.all([transaction(), transaction()])).toEqual([[{ one: 1 }], [{ one: 1 }]]);
    await database.sql.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    );
    const results = await Promise.allSettled([transaction(), transaction(), transaction()]);
    for (const result of results) if (result.status === 'rejected') failures.push(result.reason);
  }
  expect(failures.filter((error) => !isConnectionLost(error))).toEqual([]);
  await database.close();
  await dropTestDatabase(url);
});

test.each([
  [{ code: '57P01' }, true],
  [{ code: '08006' }, true],
  [{ code: '53300' }, true],
  [{ code: 'ECONNREFUSED' }, true],
  [new Error('Connection terminated unexpectedly'), true],
  [{ code: 'ENOENT', syscall: 'connect' }, true],
  [new Error('Client has encountered a connection error and is not queryable'), true],
  [{ code: 'ENOENT', syscall: 'open' }, false],
  [{ code: 'ENOSPC', syscall: 'write' }, false],
  [{ code: '42P01' }, false],
  [{ code: '23505' }, false],
  [{ code: 'ERR_INVALID_ARG_TYPE' }, false],
  [new Error('something else'), false],
])('%o: the connection is lost: %s', (error, expected) => {
  expect(isConnectionLost(error)).toBe(expected);
});
