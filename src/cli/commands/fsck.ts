import { Command } from 'commander';
import type { StoreReport } from '../../domain/integrity/check-store.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { interruptible } from '../interruptible.ts';
import { counted, formatBytes } from '../prefetch/quantities.ts';
import { withDatabase } from '../with-database.ts';

interface FsckOptions {
  reportOnly?: boolean;
  json?: boolean;
}

export function fsckCommand(): Command {
  return new Command('fsck')
    .description('read the whole blob store and hash it again; mark what is damaged')
    .option('--report-only', 'mark nothing, move nothing')
    .option('--json', 'one JSON document on standard output')
    .action(fsck);
}

const PROGRESS_MS = 2_000;

async function fsck({ reportOnly = false, json = false }: FsckOptions): Promise<void> {
  const [{ checkStore }, { openBlobStore }, { auditedCommand }] = await Promise.all([
    import('../../domain/integrity/check-store.ts'),
    import('../../domain/storage/open-blob-store.ts'),
    import('../../domain/audit/audit-log.ts'),
  ]);
  let toldAt = Date.now();
  const onProgress = ({ blobs, bytes }: { blobs: number; bytes: number }): void => {
    if (Date.now() - toldAt < PROGRESS_MS) return;
    toldAt = Date.now();
    process.stderr.write(`${counted(blobs, 'blob')}, ${formatBytes(bytes)} so far\n`);
  };
  const report = await interruptible((signal) =>
    withDatabase('stowage-fsck', async (database, settings) => {
      const blobs = await openBlobStore(settings);
      const check = () => checkStore({ database, blobs, reportOnly, signal, onProgress });
      return reportOnly
        ? await check()
        : await auditedCommand(database, { action: 'checkStore', details: {} }, check);
    }),
  );
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : textOf(report, reportOnly));
  if (report.damaged.length > 0) process.exitCode = EXIT_CODES['checksum-mismatch'];
}

function textOf(
  { blobs, bytes, damaged, damagedBundles, restoredBundles }: StoreReport,
  reportOnly: boolean,
) {
  const lines = damaged.flatMap(({ digest, problem, usedBy }) => [
    `${problem} ${digest}`,
    ...usedBy.map((user) => `  used by ${user}`),
  ]);
  for (const digest of damagedBundles) lines.push(`not served any more: bundle ${digest}`);
  for (const digest of restoredBundles) lines.push(`whole and served again: bundle ${digest}`);
  const found = damaged.length === 0 ? 'all whole' : `${damaged.length} damaged`;
  lines.push(`${counted(blobs, 'blob')}, ${formatBytes(bytes)}: ${found}`);
  if (damaged.length > 0 && !reportOnly) {
    lines.push('Damaged blobs are set aside; whoever pushes or fetches the same again makes them whole.');
  }
  return lines.map((line) => `${line}\n`).join('');
}
