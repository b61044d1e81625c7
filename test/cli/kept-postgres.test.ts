import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { KeptPostgres } from '../../src/cli/kept-postgres.ts';
import { embeddedPostgresIsRunning } from '../../src/domain/database/embedded-postgres.ts';

test('an embedded PostgreSQL that is killed is started again at the same address, and ends when it is stopped', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'stowage-kept-postgres-'));
  const kept = await KeptPostgres.start(dataDir, pino({ level: 'silent' }));
  try {
    const before = await startTimeAt(kept.url);
    process.kill(
      Number.parseInt(await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8'), 10),
      'SIGQUIT',
    );
    await expect
      .poll(async () => await startTimeAt(kept.url).catch(() => 0), { timeout: 20_000 })
      .toBeGreaterThan(before);
  } finally {
    await kept.stop();
    expect(await embeddedPostgresIsRunning(dataDir)).toBe(false);
    await rm(dataDir, { recursive: true });
  }
});

async function startTimeAt(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ at: Date }>('select pg_postmaster_start_time() as at');
    return rows[0]!.at.getTime();
  } finally {
    await client.end();
  }
}
