import { resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { FinishedBackup } from '../../domain/backup/back-up.ts';
import type { ForgottenBackups } from '../../domain/backup/forget-backups.ts';
import type { Settings } from '../../domain/config.ts';
import { BackupProgress } from '../backup-progress.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interruptible.ts';
import { counted, formatBytes, formatCount } from '../prefetch/quantities.ts';
import { withDatabase } from '../with-database.ts';

export function backupCommand(): Command {
  return new Command('backup')
    .description('copy the database, the blobs and the keys into a directory, while everything goes on')
    .argument('<directory>', 'of all backups: bytes that an earlier one has copied are not copied again')
    .option('--keep <number>', 'when it is done, remove all but so many of the newest', atLeastOne)
    .option('--json', 'one JSON document on standard output')
    .action(backup);
}

function atLeastOne(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It is a number from 1 on.');
}

interface BackupOptions {
  keep?: number;
  json?: boolean;
}

async function backup(directory: string, { keep, json = false }: BackupOptions): Promise<void> {
  const [{ backUp }, { forgetBackups }, { openBlobStore }, { auditedCommand }] = await Promise.all([
    import('../../domain/backup/back-up.ts'),
    import('../../domain/backup/forget-backups.ts'),
    import('../../domain/storage/open-blob-store.ts'),
    import('../../domain/audit/audit-log.ts'),
  ]);
  const path = resolve(directory);
  const progress = new BackupProgress();
  await interruptible((signal) =>
    withDatabase('stowage-backup', async (database, settings) => {
      const blobs = await openBlobStore(settings);
      const work = {
        ...{ database, blobs, settings, directory: path, signal },
        ...{ onStep: progress.step, onTable: progress.table, onBlobs: progress.blobs },
      };
      const finished = await auditedCommand(
        database,
        { action: 'backup', details: { directory: path, keep } },
        () => backUp(work),
      );
      const forgotten = keep === undefined ? null : await forgetBackups(path, { keep, signal });
      print(finished, forgotten, settings, json);
    }),
  ).finally(() => progress.stop());
}

function print(
  { path, description, copied }: FinishedBackup,
  forgotten: ForgottenBackups | null,
  settings: Settings,
  json: boolean,
): void {
  const { tables, blobs, keys } = description;
  const rows = tables.reduce((sum, table) => sum + table.rows, 0);
  if (json) {
    process.stdout.write(`${JSON.stringify({ path, rows, blobs, copied, keys, forgotten }, null, 2)}\n`);
  } else {
    process.stdout.write(`${path}\n`);
    process.stderr.write(
      `${formatCount(rows)} rows of ${tables.length} tables, ${counted(blobs.count, 'blob')} (${formatBytes(blobs.bytes)}), ` +
        `of which ${formatCount(copied.copied)} were copied (${formatBytes(copied.bytes)}), ${counted(keys.length, 'key')}\n`,
    );
    if (forgotten !== null && forgotten.backups.length > 0) {
      process.stderr.write(
        `removed ${forgotten.backups.join(', ')} and ${counted(forgotten.blobs, 'blob')}\n`,
      );
    }
    for (const { digest, problem } of blobs.lost) process.stderr.write(`${problem}, not in it: ${digest}\n`);
    for (const line of keptApart(settings)) process.stderr.write(`not in it, keep it apart: ${line}\n`);
  }
  if (blobs.lost.length > 0) process.exitCode = EXIT_CODES['checksum-mismatch'];
}

/** What the operator gives, and without which a copy is worth less. */
function keptApart({ signingKey, secretsKey }: Settings): string[] {
  return [
    ...(signingKey === null ? [] : [`STOWAGE_SIGNING_KEY (${signingKey})`]),
    ...(secretsKey === null
      ? []
      : [`STOWAGE_SECRETS_KEY (${secretsKey}), without which sealed credentials are lost`]),
  ];
}
