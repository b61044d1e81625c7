import { userInfo } from 'node:os';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, dropTestDatabase } from '../../support/database.ts';
import { stowage } from '../../support/stowage-command.ts';

let url: string;

beforeAll(async () => {
  url = await createTestDatabase();
});
afterAll(() => dropTestDatabase(url));

const run = (...args: string[]) => stowage(args, { env: { DATABASE_URL: url } });

test('keys are rotated and forgotten, and the audit log tells by whom', async () => {
  const first = (await run('keys', 'rotate', 'session-tokens')).stdout.trim();
  const second = await run('keys', 'rotate', 'session-tokens');
  const id = second.stdout.trim();
  expect(second).toEqual({
    status: 0,
    stdout: `${id}\n`,
    stderr: `key ${id} signs session-tokens within half a minute; older ones still verify\n`,
  });
  const listed = (await run('keys')).stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 4));
  expect(listed).toEqual([
    ['ID', 'PURPOSE', 'SINCE', 'STATE'],
    [id, 'session-tokens', expect.any(String), 'signs'],
    [first, 'session-tokens', expect.any(String), 'verifies'],
    [''],
  ]);
  expect((await run('keys', 'forget', id)).status).toBe(4);
  expect((await run('keys', 'forget', first)).status).toBe(0);

  const { stdout } = await run('audit', '--json');
  const me = { user: userInfo().username, address: 'command' };
  expect(
    stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { ...me, action: 'forgetKey', details: { id: first }, code: null },
    { ...me, action: 'forgetKey', details: { id }, code: 'invalid-input' },
    { ...me, action: 'rotateKey', details: { purpose: 'session-tokens', forgetting: false }, code: null },
    { ...me, action: 'rotateKey', code: null },
  ]);
  const table = (await run('audit', '--action', 'forgetKey', '--since', '1h', '--limit', '1')).stdout;
  expect(table).toMatch(
    /^TIME +USER +FROM +ACTION +OUTCOME +DETAILS\n\S+Z +\S+ +command +forgetKey +done +\{.*\}\n$/,
  );
});
