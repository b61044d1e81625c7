import { Command } from 'commander';
import type { Settings } from '../../domain/config.ts';
import type { Database } from '../../domain/database/database.ts';
import { durationMs } from '../../domain/duration.ts';
import { GARBAGE, type GarbageKind } from '../../domain/garbage/garbage.ts';
import { interruptible } from '../interruptible.ts';
import { formatBytes, formatCount } from '../prefetch/quantities.ts';
import { withDatabase } from '../with-database.ts';

interface GcOptions {
  dryRun?: boolean;
  grace?: string;
  json?: boolean;
}

export function gcCommand(): Command {
  return new Command('gc')
    .description('remove what nothing needs any more; workers do this every ten minutes by themselves')
    .option('--dry-run', 'explain what would be removed, and why; change nothing')
    .option('--grace <duration>', 'how long it must not have been needed, for example 90s, 1h')
    .option('--json', 'one JSON document on standard output')
    .action(gc);
}

async function gc(options: GcOptions): Promise<void> {
  await withDatabase('stowage-gc', (database, settings) => {
    const graceSeconds =
      options.grace === undefined ? settings.garbageGraceSeconds : durationMs(options.grace) / 1000;
    return options.dryRun
      ? explain(database, settings, graceSeconds, options)
      : collect(database, settings, graceSeconds, options);
  });
}

async function explain(
  database: Database,
  settings: Settings,
  graceSeconds: number,
  { json = false }: GcOptions,
): Promise<void> {
  const [{ explainGarbage }, { openBlobStore }, { graceOf }] = await Promise.all([
    import('../../domain/garbage/explain-garbage.ts'),
    import('../../domain/storage/open-blob-store.ts'),
    import('../../domain/garbage/garbage.ts'),
  ]);
  const grace = graceOf(graceSeconds);
  const { garbage, waiting } = await explainGarbage({
    database,
    blobs: await openBlobStore(settings),
    grace,
  });
  if (json) return print(JSON.stringify({ garbage, waiting }, null, 2));
  for (const { why, items, bytes, examples } of garbage) {
    print(`would remove ${quantity(items, bytes)}: ${why}`);
    for (const example of examples) print(`  ${example}`);
    if (items > examples.length) print(`  and ${formatCount(items - examples.length)} more`);
  }
  if (garbage.length === 0) print('nothing to remove');
  if (waiting.items > 0) {
    print(`not yet ${quantity(waiting.items, waiting.bytes)}: blobs that somebody may still be about to use`);
  }
}

async function collect(
  database: Database,
  settings: Settings,
  graceSeconds: number,
  { json = false }: GcOptions,
): Promise<void> {
  const [{ collectGarbage }, { openBlobStore }, { graceOf }, { auditedCommand }] = await Promise.all([
    import('../../domain/garbage/collect-garbage.ts'),
    import('../../domain/storage/open-blob-store.ts'),
    import('../../domain/garbage/garbage.ts'),
    import('../../domain/audit/audit-log.ts'),
  ]);
  const blobs = await openBlobStore(settings);
  const run = await interruptible((signal) =>
    auditedCommand(database, { action: 'collectGarbage', details: { graceSeconds } }, () =>
      collectGarbage({ database, blobs, grace: graceOf(graceSeconds), strayFiles: true, signal }),
    ),
  );
  if (run === null) return print(json ? 'null' : 'another process is collecting just now');
  if (json) return print(JSON.stringify(run.removed, null, 2));
  for (const [kind, { items, bytes }] of Object.entries(run.removed)) {
    print(`removed ${quantity(items, bytes)}: ${GARBAGE[kind as GarbageKind]}`);
  }
  if (Object.keys(run.removed).length === 0) print('nothing to remove');
}

function quantity(items: number, bytes: number): string {
  return bytes === 0 ? formatCount(items) : `${formatCount(items)} (${formatBytes(bytes)})`;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
