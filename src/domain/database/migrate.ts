import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { DomainError } from '../errors.ts';
import { CHANNEL } from '../events/event.ts';
import { continueFeed } from './continue-feed.ts';
import { MIGRATIONS, pendingMigrations } from './pending-migrations.ts';
import type { SqlExecutor } from './sql-executor.ts';

/**
 * Brings the schema up to date: numbered, forward only, one transaction a migration. Safe to start from many processes
 * at once: an advisory lock lets one work while the others wait and then find nothing to do. Processes of the release
 * before serve meanwhile (docs/operations.md, Upgrades): a migration that does not get a lock at once gives up those that
 * it has and tries again, since whoever comes later waits behind one that waits.
 */
export interface MigrationReport {
  applied: string[];
  pending: string[];
}

export interface MigrateOptions {
  dryRun?: boolean;
  /** Told when it has to wait for others, in a sentence. */
  onWait?: (reason: string) => void;
  directory?: string;
  /** For how long one lock is waited for. */
  lockTimeoutMs?: number;
  /** For how long locks are tried for, with pauses. */
  deadlineMs?: number;
}

const LOCK = 0x5706_a6e0;
const OLDEST_POSTGRES = 15;
const LOCK_TIMEOUT_MS = 1_000;
const DEADLINE_MS = 600_000;
const TURN_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export async function migrate(url: string, options: MigrateOptions = {}): Promise<MigrationReport> {
  return await withMigrationClient(url, async (client) => {
    const { directory = MIGRATIONS } = options;
    const sql = executor(client);
    if (options.dryRun) return { applied: [], pending: await pendingMigrations(sql, directory) };
    await takeTurn(client, options);
    await createMigrationsTable(client);
    const applied: string[] = [];
    for (const name of await pendingMigrations(sql, directory)) {
      await apply(client, { name, text: await readFile(join(directory, name), 'utf8') }, options);
      applied.push(name);
    }
    if (directory === MIGRATIONS) await continueFeed(executor(client));
    if (applied.length > 0) await client.query('select pg_notify($1, $2)', [CHANNEL, MIGRATIONS_TOPIC]);
    return { applied, pending: [] };
  });
}

/** Topic of the event hub that is woken when migrations were applied. */
export const MIGRATIONS_TOPIC = 'migrations';

/** A connection of its own to a PostgreSQL that is new enough. */
export async function withMigrationClient<T>(
  url: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'stowage-migrate' });
  client.on('error', () => undefined);
  await client.connect().catch((cause: unknown) => {
    throw new DomainError(
      'database-unavailable',
      `Cannot connect to PostgreSQL: ${(cause as Error).message}`,
      {
        cause,
        hint: 'Check DATABASE_URL, or leave it unset to use the embedded PostgreSQL.',
        retryable: true,
      },
    );
  });
  try {
    await requireVersion(client);
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Statements of one connection. */
export function executor(client: pg.ClientBase): SqlExecutor {
  return {
    query: async <Row extends object>(text: string, parameters: readonly unknown[] = []) =>
      (await client.query(text, [...parameters])).rows as Row[],
  };
}

async function requireVersion(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: number }>(
    `select current_setting('server_version_num')::int / 10000 as version`,
  );
  const version = rows[0]?.version ?? 0;
  if (version < OLDEST_POSTGRES) {
    throw new DomainError(
      'database-unavailable',
      `PostgreSQL ${version} is too old; ${OLDEST_POSTGRES} is needed`,
    );
  }
}

/**
 * Until the connection ends nobody else migrates this database. It asks instead of waiting in the server: a statement that
 * waits there is a transaction, and an index that is made concurrently waits for all of them.
 */
export async function takeTurn(
  client: pg.Client,
  { onWait }: Pick<MigrateOptions, 'onWait'> = {},
): Promise<void> {
  for (let hasTold = false; ; hasTold = true) {
    const { rows } = await client.query('select pg_try_advisory_lock($1) as taken', [LOCK]);
    if (rows[0].taken) return;
    if (!hasTold) onWait?.('another process is migrating the database');
    await sleep(TURN_MS);
  }
}

export async function createMigrationsTable(client: pg.Client): Promise<void> {
  await client.query(
    'create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())',
  );
}

interface Migration {
  name: string;
  text: string;
}

const LOCK_NOT_AVAILABLE = '55P03';
const DEADLOCK = '40P01';

async function apply(client: pg.Client, migration: Migration, options: MigrateOptions): Promise<void> {
  const { lockTimeoutMs = LOCK_TIMEOUT_MS, deadlineMs = DEADLINE_MS, onWait } = options;
  const deadline = Date.now() + deadlineMs;
  for (let pauseMs = lockTimeoutMs; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      await (isConcurrent(migration.text)
        ? runOneByOne(client, migration)
        : runAtOnce(client, migration, lockTimeoutMs));
      return;
    } catch (cause) {
      const { code } = cause as { code?: string };
      const isBusy = code === LOCK_NOT_AVAILABLE || code === DEADLOCK;
      if (!isBusy || Date.now() > deadline) throw failed(migration, cause, isBusy);
    }
    onWait?.(`migration ${migration.name} waits for others to end: ${await oldestTransaction(client)}`);
    await sleep(pauseMs);
  }
}

function failed({ name }: Migration, cause: unknown, isBusy: boolean): DomainError {
  return new DomainError('migration-failed', `Migration ${name} failed: ${(cause as Error).message}`, {
    cause,
    ...(isBusy && { hint: 'Others hold its tables: look for long transactions in pg_stat_activity.' }),
  });
}

async function runAtOnce(client: pg.Client, { name, text }: Migration, lockTimeoutMs: number): Promise<void> {
  await client.query('begin');
  try {
    await client.query(`set local lock_timeout = ${lockTimeoutMs}`);
    await client.query(text);
    await client.query('insert into migrations (name) values ($1)', [name]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

/** An index that is made concurrently: outside of a transaction, one statement at a time. Who waits for it waits alone. */
async function runOneByOne(client: pg.Client, { name, text }: Migration): Promise<void> {
  for (const statement of statementsOf(text)) await client.query(statement);
  await client.query('insert into migrations (name) values ($1)', [name]);
}

export function isConcurrent(text: string): boolean {
  return /\bindex\s+concurrently\b/i.test(withoutComments(text));
}

/** Of a text in which each ends with its line. */
function statementsOf(text: string): string[] {
  return withoutComments(text)
    .split(/;[ \t]*$/m)
    .map((statement) => statement.trim())
    .filter(Boolean);
}

export function withoutComments(text: string): string {
  return text.replaceAll(/--.*$/gm, '');
}

async function oldestTransaction(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ pid: number; name: string; seconds: number }>(
    `select pid, application_name as name, extract(epoch from clock_timestamp() - xact_start)::int as seconds
     from pg_stat_activity
     where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
     order by xact_start limit 1`,
  );
  const [oldest] = rows;
  if (!oldest) return 'they have ended';
  return `the oldest transaction is of ${oldest.name || 'somebody'} (pid ${oldest.pid}), ${oldest.seconds} s`;
}
