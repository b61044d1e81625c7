import { Command } from 'commander';
import { readSettings } from '../../domain/config.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import { blobStore } from '../../domain/settings/values.ts';
import type { CopiedBlobs } from '../../domain/storage/copy-blobs.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interruptible.ts';
import { formatBytes, formatCount } from '../prefetch/quantities.ts';
import { withDatabase } from '../with-database.ts';

interface CopyOptions {
  from: string;
  to: string;
  json?: boolean;
}

export function blobsCommand(): Command {
  const command = new Command('blobs').description('work on blob stores as a whole');
  command
    .command('copy')
    .description(
      'copy what the other store does not have yet, each blob verified; can be broken off and run again',
    )
    .requiredOption('--from <store>', 'file:DIRECTORY or s3://BUCKET/PREFIX')
    .requiredOption('--to <store>', 'the same')
    .option('--json', 'one JSON document on standard output')
    .action(copy);
  return command;
}

const PROGRESS_MS = 2_000;

async function copy({ from, to, json = false }: CopyOptions): Promise<void> {
  const { s3Endpoint, databaseUrl } = readSettings();
  const [source, target] = [blobStore(from, '--from'), blobStore(to, '--to')];
  if (source === target) throw new InvalidInputError('--from and --to are the same store');
  const [{ copyBlobs }, { openBlobStore }] = await Promise.all([
    import('../../domain/storage/copy-blobs.ts'),
    import('../../domain/storage/open-blob-store.ts'),
  ]);
  let toldAt = Date.now();
  const onProgress = ({ copied, bytes, present }: CopiedBlobs): void => {
    if (Date.now() - toldAt < PROGRESS_MS) return;
    toldAt = Date.now();
    process.stderr.write(
      `${formatCount(copied)} copied (${formatBytes(bytes)}), ${present} present so far\n`,
    );
  };
  const stores = await Promise.all(
    [source, target].map((store) => openBlobStore({ blobStore: store, s3Endpoint })),
  );
  const result = await interruptible(async (signal) => {
    const [opened, other] = stores;
    await other!.check({ space: true });
    const work = () => copyBlobs(opened!, other!, { signal, onProgress });
    // A copy of files needs no database, and starts none to be written down there.
    return databaseUrl === null ? await work() : await audited(source, target, work);
  });
  process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : textOf(result));
  if (result.damaged.length > 0) process.exitCode = EXIT_CODES['checksum-mismatch'];
}

async function audited<T>(from: string, to: string, work: () => Promise<T>): Promise<T> {
  const { auditedCommand } = await import('../../domain/audit/audit-log.ts');
  return await withDatabase('stowage-blobs', (database) =>
    auditedCommand(database, { action: 'copyBlobs', details: { from, to } }, work),
  );
}

function textOf({ copied, bytes, present, damaged }: CopiedBlobs): string {
  const lines = [
    `copied ${formatCount(copied)} (${formatBytes(bytes)}), ${formatCount(present)} were there already`,
    ...damaged.map((digest) => `damaged, not copied: ${digest}`),
  ];
  return `${lines.join('\n')}\n`;
}
