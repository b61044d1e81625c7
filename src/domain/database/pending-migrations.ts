import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SqlExecutor } from './sql-executor.ts';

export const MIGRATIONS = join(import.meta.dirname, '../../../migrations');
const UNDEFINED_TABLE = '42P01';

/** What some had been called until they got numbers of their own: databases of that time know them by these names. */
const FORMER_NAMES: Readonly<Record<string, string>> = {
  '0015-upstream-images.sql': '0016-upstream-images.sql',
  '0016-gateway-addresses.sql': '0017-gateway-addresses.sql',
  '0017-build-sources.sql': '0018-build-sources.sql',
  '0018-account-email.sql': '0019-account-email.sql',
  '0018-log-pages.sql': '0020-log-pages.sql',
  '0018-project-paths.sql': '0021-project-paths.sql',
  '0019-queue-positions.sql': '0022-queue-positions.sql',
};

/** Names of migrations of this release that the database does not have, in their order; changes nothing. */
export async function pendingMigrations(sql: SqlExecutor, directory = MIGRATIONS): Promise<string[]> {
  const done = new Set(await appliedMigrations(sql));
  return (await migrationsOf(directory)).filter((name) => !done.has(name));
}

/** Names of migrations of the database that this release does not know: those of a later one. */
export async function newerMigrations(sql: SqlExecutor): Promise<string[]> {
  const known = new Set(await migrationsOf(MIGRATIONS));
  return (await appliedMigrations(sql)).filter((name) => !known.has(name)).sort();
}

export async function migrationsOf(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
}

/** By the names that they have now. */
export async function appliedMigrations(sql: SqlExecutor): Promise<string[]> {
  try {
    const rows = await sql.query<{ name: string }>('select name from migrations');
    return rows.map(({ name }) => FORMER_NAMES[name] ?? name);
  } catch (error) {
    if ((error as { code?: string }).code === UNDEFINED_TABLE) return [];
    throw error;
  }
}
