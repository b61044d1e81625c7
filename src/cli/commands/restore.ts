import { resolve } from 'node:path';
import { Command } from 'commander';
import type { Backup } from '../../domain/backup/restore.ts';
import { readSettings, type Settings } from '../../domain/config.ts';
import { BackupProgress } from '../backup-progress.ts';
import { interruptible } from '../interruptible.ts';
import { counted, formatBytes, formatCount } from '../prefetch/quantities.ts';

interface RestoreOptions {
  backup?: string;
  check?: boolean;
  keepOtherBlobs?: boolean;
}

export function restoreCommand(): Command {
  return new Command('restore')
    .description('fill an empty database and blob store from a backup, which is verified first')
    .argument('<directory>', 'of all backups')
    .option('--backup <name>', 'another one than the newest, for example 20261121T204512Z')
    .option('--check', 'only read all of it, and say whether it is whole')
    .option('--keep-other-blobs', 'the blob store may have blobs that are not of the backup')
    .action(restoreFrom);
}

async function restoreFrom(directory: string, options: RestoreOptions): Promise<void> {
  const settings = readSettings();
  const { openBackup, checkBlobs } = await import('../../domain/backup/restore.ts');
  const progress = new BackupProgress();
  await interruptible(async (signal) => {
    const backup = await openBackup(resolve(directory), options.backup ?? null, signal);
    if (options.check) {
      await checkBlobs(backup, { signal, onBlob: progress.read });
      process.stdout.write(`${describe(backup)}: whole\n`);
    } else {
      await fill(backup, settings, options, { signal, progress });
    }
  }).finally(() => progress.stop());
}

async function fill(
  backup: Backup,
  settings: Settings,
  { keepOtherBlobs = false }: RestoreOptions,
  { signal, progress }: { signal: AbortSignal; progress: BackupProgress },
): Promise<void> {
  const [{ restore }, { openBlobStore }, { startEmbeddedPostgres }, { prepareDatabase }, { runMigrations }] =
    await Promise.all([
      import('../../domain/backup/restore.ts'),
      import('../../domain/storage/open-blob-store.ts'),
      import('../../domain/database/embedded-postgres.ts'),
      import('../prepare-database.ts'),
      import('graphile-worker'),
    ]);
  const embedded =
    settings.databaseUrl === null ? await startEmbeddedPostgres({ dataDir: settings.dataDir }) : null;
  try {
    const url = settings.databaseUrl ?? embedded!.url;
    const { copied, bytes } = await restore({
      backup,
      url,
      blobs: await openBlobStore(settings),
      settings,
      keepOtherBlobs,
      prepareQueue: (connectionString) => runMigrations({ connectionString }),
      signal,
      onStep: progress.step,
      onTable: progress.table,
      onBlobs: progress.blobs,
    });
    const { applied } = await prepareDatabase(url);
    process.stdout.write(
      `restored ${describe(backup)}; ${formatCount(copied)} blobs were copied (${formatBytes(bytes)})\n`,
    );
    for (const name of applied) process.stdout.write(`applied ${name}\n`);
    const { lost } = backup.description.blobs;
    if (lost.length > 0) {
      process.stdout.write(
        `${counted(lost.length, 'blob')} had been lost before: "stowage fsck" names who needs them\n`,
      );
    }
  } finally {
    await embedded?.stop();
  }
}

function describe({ path, description: { tables, blobs, madeAt, version } }: Backup): string {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  return (
    `${path}, made at ${madeAt} by Stowage ${version}: ${formatCount(rows)} rows, ` +
    `${counted(blobs.count, 'blob')} (${formatBytes(blobs.bytes)})`
  );
}
