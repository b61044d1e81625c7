import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../../src/domain/database/database.ts';
import { rotateKey } from '../../../src/domain/identity/shared-keys.ts';
import { createTestDatabase, dropTestDatabase } from '../../support/database.ts';
import { stowage } from '../../support/stowage-command.ts';

let url: string;
let directory: string;

beforeAll(async () => {
  url = await createTestDatabase();
  directory = await mkdtemp(join(tmpdir(), 'stowage-keys-'));
});
afterAll(async () => {
  await dropTestDatabase(url);
  await rm(directory, { recursive: true, force: true });
});

const run = (...args: string[]) => stowage(args, { env: { DATABASE_URL: url, STOWAGE_DATA_DIR: directory } });

test('keys are rotated and forgotten, and the audit log tells by whom', { timeout: 120_000 }, async () => {
  const database = await openDatabase({ url, connections: 1 });
  const { id: first } = await rotateKey(database, 'session-tokens');
  await database.close();
  const second = await run('keys', 'rotate', 'session-tokens');
  const id = second.stdout.trim();
  expect(second).toEqual({
    status: 0,
    stdout: `${id}\n`,
    stderr: `key ${id} signs session-tokens within half a minute; older ones still verify\n`,
  });
  const listed = await run('keys');
  expect(listed.stdout.split('\n').map((line) => line.split(/ {2,}/).slice(0, 4))).toEqual([
    ['ID', 'PURPOSE', 'SINCE', 'STATE'],
    [id, 'session-tokens', expect.any(String), 'signs'],
    [first, 'session-tokens', expect.any(String), 'verifies'],
    [''],
  ]);
  expect((await run('keys', 'forget', first)).status).toBe(0);

  const [json, table] = await Promise.all([
    run('audit', '--json'),
    run('audit', '--action', 'forgetKey', '--since', '1h', '--limit', '1'),
  ]);
  const me = { user: userInfo().username, address: 'command' };
  const entries = json.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(entries).toMatchObject([
    { ...me, action: 'forgetKey', details: { id: first }, code: null },
    { ...me, action: 'rotateKey', details: { purpose: 'session-tokens', forgetting: false }, code: null },
  ]);
  expect(table.stdout).toMatch(
    /^TIME +USER +FROM +ACTION +OUTCOME +DETAILS\n\S+Z +\S+ +command +forgetKey +done +\{.*\}\n$/,
  );
});

test('the key of provenance is rotated, too', async () => {
  const ids: string[] = [];
  for (let time = 0; time < 2; time += 1)
    ids.unshift((await run('keys', 'rotate', 'provenance')).stdout.trim());
  const refused = await run('keys', 'rotate', 'provenance', '--forget');
  expect(refused).toMatchObject({ status: 4, stdout: '' });
  expect(refused.stderr).toContain('--forget is for keys of tokens');
  const { stdout } = await run('keys');
  const rows = stdout.split('\n').map((line) => line.split(/ {2,}/));
  expect(rows.filter(([, purpose]) => purpose === 'provenance')).toEqual([
    [ids[0], 'provenance', '–', 'signs', 'provenance of bundles and images'],
    [ids[1], 'provenance', '–', 'verifies', 'provenance of bundles and images'],
  ]);
});
