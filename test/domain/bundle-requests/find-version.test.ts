import { afterAll, beforeAll, expect, test } from 'vitest';
import { findVersion } from '../../../src/domain/bundle-requests/find-version.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { ANONYMOUS, PUBLIC_READER, SYSTEM } from '../../../src/domain/identity/principal.ts';
import { storeRequest } from '../../support/cachito-requests.ts';
import { testDatabase } from '../../support/database.ts';

let database: Database;
let statements: string[];
let watched: Database;
let shared: number;
let native: number;

beforeAll(async () => {
  database = await testDatabase();
  shared = await storeRequest(database.sql);
  native = await storeRequest(database.sql, { rules: 'native' });
  statements = [];
  watched = {
    ...database,
    sql: {
      query: (text, ...rest) => {
        statements.push(text);
        return database.sql.query(text, ...rest);
      },
    },
  };
});
afterAll(async () => {
  await database?.close();
});

test('many at once are one statement for each kind of reader, and nobody sees more than before', async () => {
  const found = await Promise.all([
    findVersion(watched, PUBLIC_READER, shared),
    findVersion(watched, PUBLIC_READER, native),
    findVersion(watched, SYSTEM, native),
    findVersion(watched, PUBLIC_READER, shared),
    findVersion(watched, PUBLIC_READER, 99_999),
  ]);
  expect(found).toEqual([
    { id: shared, version: 2 },
    null,
    { id: native, version: 2 },
    { id: shared, version: 2 },
    null,
  ]);
  expect(statements.length).toBe(2);
});

test('what is asked later is read again', async () => {
  await database.sql.query('update bundle_requests set version = 7 where id = $1', [shared]);
  expect(await findVersion(watched, PUBLIC_READER, shared)).toEqual({ id: shared, version: 7 });
});

test('who must not read is refused before anything is asked', async () => {
  const before = statements.length;
  await expect(findVersion(watched, ANONYMOUS, shared)).rejects.toThrow('Log in to do this');
  expect(statements.length).toBe(before);
});

test('an error is for those who waited, not for those who come later', async () => {
  const broken = { ...database, sql: { query: () => Promise.reject(new Error('gone')) } };
  await expect(findVersion(broken, PUBLIC_READER, shared)).rejects.toThrow('gone');
  broken.sql = database.sql as never;
  expect(await findVersion(broken, PUBLIC_READER, shared)).toEqual({ id: shared, version: 7 });
});
