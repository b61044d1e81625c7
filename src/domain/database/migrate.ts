import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { DomainError } from '../errors.ts';
import { MIGRATIONS, pendingMigrations } from './pending-migrations.ts';

/**
 * Brings the schema up to date: numbered, forward only, one transaction a migration. Safe to start from many processes
 * at once: an advisory lock lets one work while the others wait and then find nothing to do.
 */
export interface MigrationReport {
  applied: string[];
  pending: string[];
}

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
    await client.query(
      'create table if not exists migrations (name text primary key, applied_at timestamptz not null default now())',
    );
    const pending = await pendingMigrations({ query: async (text) => (await client.query(text)).rows });
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

async function apply(client: pg.Client, name: string): Promise<void> {
  const statements = await readFile(join(MIGRATIONS, name), 'utf8');
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
