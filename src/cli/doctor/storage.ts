import { mkdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { publicKeyOf, readPublicKey } from '../../domain/bundles/signing.ts';
import type { Settings } from '../../domain/config.ts';
import { embeddedPostgresIsRunning } from '../../domain/database/embedded-postgres.ts';
import { newerMigrations } from '../../domain/database/pending-migrations.ts';
import { openBlobStore } from '../../domain/storage/open-blob-store.ts';
import { maskCredentials } from '../../workers/downloads/mask-credentials.ts';
import { acquireDatabase, whyNotReady } from '../acquire-database.ts';
import { formatBytes } from '../prefetch/quantities.ts';
import { type CheckResult, fail, ok, reason, warn } from './check.ts';

const LITTLE_SPACE = 2e9;
const MOST_SKEW_MS = 5_000;

export async function dataDirectory(settings: Settings): Promise<CheckResult[]> {
  const { dataDir } = settings;
  const probe = join(dataDir, `.doctor-${process.pid}`);
  try {
    await mkdir(dataDir, { recursive: true });
    await writeFile(probe, '');
    await rm(probe);
  } catch (error) {
    const advice = 'Set STOWAGE_DATA_DIR to a directory that you may write to.';
    return [fail('data directory', reason(error), advice)];
  }
  const { bavail, bsize } = await statfs(dataDir);
  const free = bavail * bsize;
  const space =
    free > LITTLE_SPACE
      ? ok('free space', formatBytes(free))
      : warn('free space', formatBytes(free), 'Free some, or set STOWAGE_DATA_DIR to a larger disk.');
  return [ok('data directory', `${dataDir}, writable`), space];
}

/** The key that signs provenance, and whether others on this machine can read it. */
export async function signingKey(settings: Settings): Promise<CheckResult> {
  const name = 'signing key';
  const { dataDir, signingKey: given } = settings;
  try {
    const publicKey = await publicKeyOf(dataDir, given);
    if (publicKey === null) return ok(name, 'none yet: one is made when something is signed');
    const found = `${readPublicKey(publicKey).keyId}, ${given ?? 'made by this installation'}`;
    const mode = given === null ? 0 : (await stat(given)).mode;
    if ((mode & 0o077) === 0) return ok(name, found);
    return warn(name, `${found}, readable for others`, `Run "chmod 600 ${given}".`);
  } catch (error) {
    return fail(name, reason(error), 'Check STOWAGE_SIGNING_KEY, or keys/ in the data directory.');
  }
}

export async function blobStore(settings: Settings): Promise<CheckResult> {
  try {
    await (await openBlobStore(settings)).check();
    return ok('blob store', `${maskCredentials(settings.blobStore)}, writable`);
  } catch (error) {
    return fail('blob store', reason(error), 'Check STOWAGE_BLOB_STORE and its permissions.');
  }
}

/** Reachable, migrated, and of the same time as this machine. */
export async function database(settings: Settings): Promise<CheckResult[]> {
  if (settings.databaseUrl !== null) return await inspectDatabase(settings.databaseUrl, '');
  const wasRunning = await embeddedPostgresIsRunning(settings.dataDir);
  try {
    const acquired = await acquireDatabase(settings);
    try {
      return await inspectDatabase(acquired.url, wasRunning ? 'embedded, running, ' : 'embedded, ');
    } finally {
      await acquired.release();
    }
  } catch (error) {
    const hint = (error as { hint?: string | null }).hint ?? 'Set DATABASE_URL to a PostgreSQL 15 or newer.';
    return [fail('database', reason(error), hint)];
  }
}

async function inspectDatabase(url: string, kind: string): Promise<CheckResult[]> {
  const problem = await whyNotReady(url);
  if (problem?.code === 'database-unavailable') {
    return [fail('database', problem.message, problem.hint ?? 'Check DATABASE_URL.')];
  }
  const { version, skewMs, newer } = await askServer(url);
  const found = `${kind}PostgreSQL ${version}`;
  const advice = 'Replace this release by the one that made it.';
  const state = problem
    ? fail('database', `${found}, ${problem.message}`, problem.hint ?? 'Run "stowage migrate".')
    : newer.length > 0
      ? warn('database', `${found}, newer than this release (${newer.at(-1)})`, advice)
      : ok('database', `${found}, up to date`);
  return [state, clock(skewMs)];
}

async function askServer(url: string): Promise<{ version: string; skewMs: number; newer: string[] }> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const sentAt = Date.now();
    const { rows } = await client.query<{ version: string; now: Date }>(
      `select current_setting('server_version') as version, clock_timestamp() as now`,
    );
    const middle = (sentAt + Date.now()) / 2;
    const newer = await newerMigrations({ query: async (text) => (await client.query(text)).rows });
    return { version: rows[0]!.version, skewMs: Math.abs(rows[0]!.now.getTime() - middle), newer };
  } finally {
    await client.end();
  }
}

function clock(skewMs: number): CheckResult {
  const found = `${Math.round(skewMs)} ms between this machine and the database`;
  if (skewMs <= MOST_SKEW_MS) return ok('clock', found);
  return warn('clock', found, 'Synchronise the clocks: heartbeats and tokens depend on them.');
}
