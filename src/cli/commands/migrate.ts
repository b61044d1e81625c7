import { Command } from 'commander';
import { readSettings } from '../../domain/config.ts';

export function migrateCommand(): Command {
  return new Command('migrate')
    .description('bring the database up to date; safe to run from many places at once')
    .option('--dry-run', 'only say what would be applied')
    .action(migrate);
}

async function migrate(options: { dryRun?: boolean }): Promise<void> {
  const settings = readSettings();
  const [{ prepareDatabase }, database, { startEmbeddedPostgres }] = await Promise.all([
    import('../prepare-database.ts'),
    import('../../domain/database/migrate.ts'),
    import('../../domain/database/embedded-postgres.ts'),
  ]);
  const embedded =
    settings.databaseUrl === null ? await startEmbeddedPostgres({ dataDir: settings.dataDir }) : null;
  const url = settings.databaseUrl ?? embedded!.url;
  try {
    const { applied, pending } = options.dryRun
      ? await database.migrate(url, { dryRun: true })
      : await prepareDatabase(url, { onWait: (reason) => process.stderr.write(`${reason}\n`) });
    for (const name of applied) process.stdout.write(`applied ${name}\n`);
    for (const name of pending) process.stdout.write(`would apply ${name}\n`);
    if (applied.length + pending.length === 0) process.stdout.write('nothing to do\n');
  } finally {
    await embedded?.stop();
  }
}
