import { runMigrations } from 'graphile-worker';
import { type MigrationReport, migrate } from '../domain/database/migrate.ts';

/** Brings our schema and the job queue's own schema up to date. */
export async function prepareDatabase(url: string): Promise<MigrationReport> {
  const report = await migrate(url);
  await runMigrations({ connectionString: url });
  return report;
}
