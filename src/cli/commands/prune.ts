import { Command } from 'commander';
import type { Settings } from '../../domain/config.ts';
import type { Database } from '../../domain/database/database.ts';
import { InvalidInputError } from '../../domain/errors.ts';
import type { RetentionCount } from '../../domain/retention/apply-retention.ts';
import type { PrunableSource } from '../../domain/sources/prune-sources.ts';
import { interruptible } from '../interruptible.ts';
import { formatBytes, formatCount } from '../prefetch/quantities.ts';
import { printTable } from '../print-table.ts';
import { withDatabase } from '../with-database.ts';

interface PruneOptions {
  olderThan?: string;
  limit?: number;
  execute?: boolean;
  json?: boolean;
}

/** What was removed, or would be. */
interface Pruned {
  retention: RetentionCount[];
  sources: PrunableSource[];
}

export function pruneCommand(): Command {
  return new Command('prune')
    .description(
      'remove what is too old: by the rules of retention, which workers apply every hour, and stored sources that nobody has requested for a long time; a dry run unless --execute',
    )
    .option(
      '--older-than <date>',
      'YYYY-MM-DD: sources without a request since then (default: STOWAGE_PRUNE_AGE ago)',
    )
    .option('--limit <number>', 'at most so many sources, the oldest first', wholeNumber)
    .option('--execute', 'do it')
    .option('--json', 'as JSON')
    .action(prune);
}

async function prune({ execute = false, json = false, ...options }: PruneOptions): Promise<void> {
  const pruned = await withDatabase('stowage-prune', (database, settings) =>
    execute ? remove(database, settings, options) : find(database, settings, options),
  );
  if (json) printJson(pruned, execute);
  else printText(pruned, execute);
}

async function find(
  database: Database,
  settings: Settings,
  { olderThan, limit }: PruneOptions,
): Promise<Pruned> {
  const [{ findPrunableSources, pruneBefore }, { explainRetention }] = await modules();
  const before = pruneBefore(olderThan ?? null, settings, new Date());
  return {
    retention: await explainRetention(database, settings),
    sources: await findPrunableSources(database.sql, before, limit ?? null),
  };
}

async function remove(
  database: Database,
  settings: Settings,
  { olderThan, limit }: PruneOptions,
): Promise<Pruned> {
  const [{ findPrunableSources, pruneBefore, pruneSource }, { applyRetention }, { auditedCommand }] =
    await modules();
  const before = pruneBefore(olderThan ?? null, settings, new Date());
  const details = { sourcesBefore: before.toISOString(), limit: limit ?? null };
  return await interruptible((signal) =>
    auditedCommand(database, { action: 'prune', details }, async () => {
      const goesOn = async (): Promise<boolean> => {
        signal.throwIfAborted();
        return true;
      };
      const retention = await applyRetention(database, settings, { goesOn });
      const sources: PrunableSource[] = [];
      for (const source of await findPrunableSources(database.sql, before, limit ?? null)) {
        if ((await goesOn()) && (await pruneSource(database, source.id, before))) sources.push(source);
      }
      return { retention, sources };
    }),
  );
}

function modules() {
  return Promise.all([
    import('../../domain/sources/prune-sources.ts'),
    import('../../domain/retention/apply-retention.ts'),
    import('../../domain/audit/audit-log.ts'),
  ]);
}

function printJson({ retention, sources }: Pruned, removed: boolean): void {
  const document = { removed, retention, sources: sources.map(({ id: _, ...source }) => source) };
  print(JSON.stringify(document, null, 2));
}

function printText({ retention, sources }: Pruned, removed: boolean): void {
  const found = retention.filter(({ count }) => count > 0);
  const verb = removed ? 'removed' : 'would remove';
  for (const { rule, count, what, age } of found) {
    print(`${verb} ${formatCount(count)} by the rule ${rule}: ${what}, older than ${durationText(age!)}`);
  }
  if (sources.length > 0) printSources(sources);
  if (sources.length > 0) print(`${verb} ${sources.length} ${sources.length === 1 ? 'source' : 'sources'}`);
  if (found.length === 0 && sources.length === 0) print('nothing to do');
  else
    print(
      removed
        ? 'space comes back with the next garbage collection'
        : 'nothing was changed (--execute does it)',
    );
}

function printSources(sources: readonly PrunableSource[]): void {
  printTable(
    ['SOURCE', 'COMMIT', 'NEWEST REQUEST', 'SIZE'],
    sources.map(({ origin, commit, requestId, requestedAt, size }) => [
      origin,
      commit,
      `${requestId} of ${requestedAt.toISOString().slice(0, 10)}`,
      formatBytes(size),
    ]),
  );
}

function durationText(seconds: number): string {
  const [unit, name] = seconds % DAY === 0 ? [DAY, 'd'] : [1, 's'];
  return `${seconds / Number(unit)}${name}`;
}

const DAY = 86_400;

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new InvalidInputError(`--limit must be a whole number, not "${text}"`);
  return Number(text);
}
