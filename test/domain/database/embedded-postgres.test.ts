import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { prepareDatabase } from '../../../src/cli/prepare-database.ts';
import {
  type EmbeddedPostgres,
  embeddedPostgresIsRunning,
  startEmbeddedPostgres,
} from '../../../src/domain/database/embedded-postgres.ts';

const MIGRATIONS = join(import.meta.dirname, '../../../migrations');

describe('the embedded PostgreSQL', () => {
  let dataDir: string;
  const servers: EmbeddedPostgres[] = [];
  const start = async (): Promise<EmbeddedPostgres> => {
    const server = await startEmbeddedPostgres({ dataDir, volatile: true });
    servers.push(server);
    return server;
  };
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'stowage-postgres-'));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop({ evenIfUsed: true });
    await rm(dataDir, { recursive: true, force: true });
  });

  async function one(url: string, statement: string): Promise<unknown> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return Object.values((await client.query(statement)).rows[0] ?? {})[0];
    } finally {
      await client.end();
    }
  }

  test('starts in a private directory, stops, and keeps its data', async () => {
    const first = await start();
    await one(first.url, 'create table kept as select 42 as answer');
    await first.stop();
    expect(await embeddedPostgresIsRunning(dataDir)).toBe(false);
    const second = await start();
    expect(await one(second.url, 'select answer from kept')).toBe(42);
  });

  test('two starts at once give one server, and the second adopts it', async () => {
    const [a, b] = await Promise.all([start(), start()]);
    expect(a.url).toBe(b.url);
    expect([a.startedHere, b.startedHere].sort()).toEqual([false, true]);
  });

  test('does not stop while somebody else is connected', async () => {
    const server = await start();
    const client = new pg.Client({ connectionString: server.url });
    client.on('error', () => undefined);
    await client.connect();
    await server.stop();
    expect(await embeddedPostgresIsRunning(dataDir)).toBe(true);
    await client.end();
    await server.stop();
    expect(await embeddedPostgresIsRunning(dataDir)).toBe(false);
  });

  test('a stale postmaster.pid, also one whose pid is alive, does not keep it from starting', async () => {
    const first = await start();
    await first.stop();
    const pidFile = join(dataDir, 'postgres', 'postmaster.pid');
    await writeFile(pidFile, `${process.pid}\n${dataDir}\n0\n5432\n\n127.0.0.1\n`);
    const second = await start();
    expect(second.startedHere).toBe(true);
    expect(await one(second.url, 'select 1')).toBe(1);
    expect(Number((await readFile(pidFile, 'utf8')).split('\n')[0])).not.toBe(process.pid);
  });

  test('a directory that cannot be made gives an error that says what to do', async () => {
    const file = join(dataDir, 'file');
    await writeFile(file, '');
    const started = startEmbeddedPostgres({ dataDir: join(file, 'below') });
    await expect(started).rejects.toMatchObject({ code: 'database-unavailable' });
  });

  test('migrations run once although many processes start them', async () => {
    const server = await start();
    const reports = await Promise.all([1, 2, 3].map(() => prepareDatabase(server.url)));
    const applied = reports.flatMap((report) => report.applied);
    const migrations = (await readdir(MIGRATIONS)).sort();
    expect(applied).toEqual(migrations);
    expect(await one(server.url, 'select count(*)::int from migrations')).toBe(migrations.length);
  });
});
