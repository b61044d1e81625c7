import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { DomainError } from '../errors.ts';

/**
 * Brings the schema up to date: numbered, forward only, one transaction a migration. Safe to start from many processes
 * at once: an advisory lock lets one work while the others wait and then find nothing to do.
 */
export interface MigrationReport {
  applied: string[];
  pending: string[];
}

const DIRECTORY = join(import.meta.dirname, '../../../migrations');
const LOCK = 0x5706_a6e0;
const OLDEST_POSTGRES = 15;

export async function migrate(url: string, options: { dryRun?: boolean } = {}): Promise<MigrationReport> {
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
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    const pending = await pendingMigrations(client);
    const applied: string[] = [];
    for (const name of options.dryRun ? [] : pending) {
      await apply(client, name);
      applied.push(name);
    }
    return { applied, pending: options.dryRun ? pending : [] };
  } finally {
    await client.end();
  }
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

async function pendingMigrations(client: pg.Client): Promise<string[]> {
  await client.query(
    'create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())',
  );
  const { rows } = await client.query<{ name: string }>('select name from migrations');
  const done = new Set(rows.map((row) => row.name));
  const files = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.sql')).sort();
  return files.filter((name) => !done.has(name));
}

async function apply(client: pg.Client, name: string): Promise<void> {
  const statements = await readFile(join(DIRECTORY, name), 'utf8');
  await client.query('begin');
  try {
    await client.query(statements);
    await client.query('insert into migrations (name) values ($1)', [name]);
    await client.query('commit');
  } catch (cause) {
    await client.query('rollback');
    throw new DomainError('migration-failed', `Migration ${name} failed: ${(cause as Error).message}`, {
      cause,
    });
  }
}
