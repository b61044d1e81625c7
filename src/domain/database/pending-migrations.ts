import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SqlExecutor } from './sql-executor.ts';

const DIRECTORY = join(import.meta.dirname, '../../../migrations');
const UNDEFINED_TABLE = '42P01';

/** Names of migrations of this release that the database does not have; changes nothing. */
export async function pendingMigrations(sql: SqlExecutor): Promise<string[]> {
  const files = (await readdir(DIRECTORY)).filter((name) => name.endsWith('.sql')).sort();
  const done = new Set(await appliedMigrations(sql));
  return files.filter((name) => !done.has(name));
}

async function appliedMigrations(sql: SqlExecutor): Promise<string[]> {
  try {
    return (await sql.query<{ name: string }>('select name from migrations')).map((row) => row.name);
  } catch (error) {
    if ((error as { code?: string }).code === UNDEFINED_TABLE) return [];
    throw error;
  }
}
