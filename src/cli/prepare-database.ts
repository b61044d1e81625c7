import { runMigrations } from 'graphile-worker';
import { type MigrateOptions, type MigrationReport, migrate } from '../domain/database/migrate.ts';

/** Brings our schema and the job queue's own schema up to date. */
export async function prepareDatabase(
  url: string,
  options: Pick<MigrateOptions, 'onWait'> = {},
): Promise<MigrationReport> {
  const report = await migrate(url, options);
  await runMigrations({ connectionString: url });
  return report;
}
