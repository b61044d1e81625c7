import { Command } from 'commander';
import { InvalidInputError } from '../../domain/errors.ts';
import type { PrunableSource } from '../../domain/sources/prune-sources.ts';
import { formatBytes } from '../prefetch/quantities.ts';
import { printTable } from '../print-table.ts';
import { withDatabase } from '../with-database.ts';

interface PruneOptions {
  olderThan?: string;
  limit?: number;
  execute?: boolean;
  json?: boolean;
}

export function pruneCommand(): Command {
  return new Command('prune')
    .description(
      'remove stored sources that nobody has requested for a long time; a dry run unless --execute',
    )
    .option(
      '--older-than <date>',
      'YYYY-MM-DD: those without a request since then (default: STOWAGE_PRUNE_AGE ago)',
    )
    .option('--limit <number>', 'at most so many, the oldest first', wholeNumber)
    .option('--execute', 'do it')
    .option('--json', 'as JSON')
    .action(prune);
}

async function prune(options: PruneOptions): Promise<void> {
  const sources = await import('../../domain/sources/prune-sources.ts');
  const chosen = await withDatabase('stowage-prune', async (database, settings) => {
    const before = sources.pruneBefore(options.olderThan ?? null, settings, new Date());
    const found = await sources.findPrunableSources(database.sql, before, options.limit ?? null);
    if (!options.execute) return found;
    const removed: PrunableSource[] = [];
    for (const source of found) {
      if (await sources.pruneSource(database, source.id, before)) removed.push(source);
    }
    return removed;
  });
  if (options.json) printJson(chosen, options.execute ?? false);
  else printText(chosen, options.execute ?? false);
}

function printJson(sources: readonly PrunableSource[], removed: boolean): void {
  const rows = sources.map(({ id: _, ...source }) => ({ ...source, removed }));
  process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
}

function printText(sources: readonly PrunableSource[], removed: boolean): void {
  if (sources.length === 0) {
    process.stdout.write('nothing to do\n');
    return;
  }
  printTable(
    ['SOURCE', 'COMMIT', 'NEWEST REQUEST', 'SIZE'],
    sources.map(({ origin, commit, requestId, requestedAt, size }) => [
      origin,
      commit,
      `${requestId} of ${requestedAt.toISOString().slice(0, 10)}`,
      formatBytes(size),
    ]),
  );
  const count = `${sources.length} ${sources.length === 1 ? 'source' : 'sources'}`;
  process.stdout.write(
    removed
      ? `removed ${count}; the space comes back with the next garbage collection\n`
      : `would remove ${count}; nothing was changed (--execute does it)\n`,
  );
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new InvalidInputError(`--limit must be a whole number, not "${text}"`);
  return Number(text);
}
