import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openDatabase } from '../../../src/domain/database/database.ts';
import { addUser } from '../../../src/domain/identity/accounts.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { version } from '../../../src/domain/version.ts';
import { createTestDatabase, dropTestDatabase } from '../../support/database.ts';
import { type CommandResult, StowageCommand, stowage } from '../../support/stowage-command.ts';

let url: string;
let root: string;
let environment: Record<string, string>;

beforeAll(async () => {
  url = await createTestDatabase();
  root = await mkdtemp(join(tmpdir(), 'stowage-backup-command-'));
  environment = { DATABASE_URL: url, STOWAGE_DATA_DIR: join(root, 'data') };
  const database = await openDatabase({ url, connections: 1 });
  await addUser(database, { name: 'ada' });
  const { digest, size, crc32 } = await new FileBlobStore(join(root, 'data', 'blobs')).write(
    Buffer.from('hello'),
  );
  await database.sql.query('insert into blobs (digest, size, crc32) values ($1, $2, $3)', [
    digest,
    size,
    crc32,
  ]);
  await database.close();
});
afterAll(async () => {
  await dropTestDatabase(url);
  await rm(root, { recursive: true, force: true });
});

/** Without what it says on a machine on which it takes long. */
async function run(args: readonly string[], env = environment): Promise<CommandResult> {
  const result = await stowage(args, { env });
  return { ...result, stderr: result.stderr.replaceAll(/^(.* so far|looking at what is there)\n/gm, '') };
}

test('from a database of the operator into the embedded one of another machine', {
  timeout: 300_000,
}, async () => {
  const backups = join(root, 'backups');
  const none = await run(['restore', backups]);
  expect(none).toEqual({ status: 1, stdout: '', stderr: `error: There is no directory ${backups}\n` });

  const made = await run(['backup', backups]);
  const path = made.stdout.trim();
  expect(made).toEqual({
    status: 0,
    stdout: `${path}\n`,
    stderr: expect.stringMatching(
      /^\d+ rows of \d+ tables, 1 blob \(5 B\), of which 1 were copied \(5 B\), 0 keys\n$/,
    ),
  });
  expect(path.slice(0, backups.length + 1)).toBe(`${backups}/`);

  const checked = await run(['restore', backups, '--check']);
  expect(checked).toMatchObject({ status: 0, stderr: '' });
  expect(checked.stdout).toMatch(
    new RegExp(`^${path}, made at \\S+Z by Stowage ${version}: \\d+ rows, 1 blob \\(5 B\\): whole\\n$`),
  );

  const elsewhere = { STOWAGE_DATA_DIR: join(root, 'elsewhere') };
  const restored = await run(['restore', backups], elsewhere);
  expect(restored).toMatchObject({ status: 0, stderr: '' });
  expect(restored.stdout).toMatch(/^restored .*, 1 blob \(5 B\); 1 blobs were copied \(5 B\)\n$/);
  const [users, entries] = [
    await run(['user', 'list'], elsewhere),
    await run(['audit', '--json'], elsewhere),
  ];
  expect(users.stdout).toMatch(/^ada {2,}user {2,}active/m);
  const me = { user: userInfo().username, address: 'command', code: null };
  expect(
    entries.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toMatchObject([
    { ...me, action: 'restore', details: { backup: path, version } },
    { ...me, action: 'backup', details: { directory: backups } },
  ]);
  const again = await run(['restore', backups], elsewhere);
  expect(again).toMatchObject({ status: 1, stdout: '' });
  expect(again.stderr).toMatch(/^error: The database is not empty: it has /);

  await truncate(join(path, 'SHA256SUMS'), 100);
  const damaged = await run(['restore', backups, '--check']);
  expect(damaged).toMatchObject({ status: 10, stdout: '' });
});

test('what is broken off or killed is no backup', { timeout: 120_000 }, async () => {
  const backups = join(root, 'broken-off');
  // Its rows wait for this transaction.
  const database = await openDatabase({ url, connections: 2 });
  const holder = await database.pool.connect();
  await holder.query('begin; lock table blobs in access exclusive mode');
  const ends = [];
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const command = new StowageCommand(['backup', backups], { env: environment });
    const waits = async (): Promise<number> => {
      const rows = await database.sql.query(
        `select from pg_stat_activity where query like 'copy blobs %' and wait_event_type = 'Lock'`,
      );
      return rows.length;
    };
    await expect.poll(waits).toBe(1);
    ends.push(
      (await command.end(signal)).status,
      (await readdir(backups)).map((name) => name[0]),
    );
  }
  await holder.query('rollback');
  holder.release();
  await database.close();
  expect(ends).toEqual([130, [], 'SIGKILL', ['.']]);
  const refused = await run(['restore', backups]);
  expect(refused).toMatchObject({ status: 1, stdout: '' });
  expect(refused.stderr).toMatch(
    /^error: There is no complete backup in .*\nhint: \.\d{8}T\d{6}Z has not been finished\.\n$/,
  );
});
