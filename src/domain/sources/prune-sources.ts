import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import { isPrunable } from '../database/sql/prunable-sources.ts';
import { InvalidInputError } from '../errors.ts';

export { findPrunableSources, type PrunableSource } from '../database/sql/prunable-sources.ts';

/**
 * From when on a request keeps its source (cachito.md 2.5): `olderThan` (`YYYY-MM-DD`), else the age of the settings.
 * Throws InvalidInputError for a time within the age below which nothing is ever removed.
 */
export function pruneBefore(
  olderThan: string | null,
  { pruneAge, pruneMinimumAge }: Pick<Settings, 'pruneAge' | 'pruneMinimumAge'>,
  now: Date,
): Date {
  const newest = new Date(now.getTime() - pruneMinimumAge * 1000);
  const before = olderThan === null ? new Date(now.getTime() - pruneAge * 1000) : parseDate(olderThan);
  if (before <= newest) return before;
  throw new InvalidInputError(
    `Sources with a request after ${dateOf(newest)} are never removed, ${dateOf(before)} is newer`,
    { hint: 'STOWAGE_PRUNE_MINIMUM_AGE is the age below which nothing is removed.' },
  );
}

/** False when the source was used since somebody saw that it can go. Its blobs are freed by the garbage collection. */
export async function pruneSource(database: Database, id: number, before: Date): Promise<boolean> {
  return await database.transaction(async ({ sql }) => {
    // Who uses a source touches its row: that waits for us, or we see it.
    const held = await sql.query('select from source_snapshots where id = $1 for update', [id]);
    if (held.length === 0 || !(await isPrunable(sql, id, before))) return false;
    await sql.query('update bundle_requests set snapshot_id = null where snapshot_id = $1', [id]);
    await sql.query('delete from source_snapshots where id = $1', [id]);
    return true;
  });
}

function parseDate(text: string): Date {
  const date = new Date(`${text}T00:00:00Z`);
  if (/^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(date.getTime()) && dateOf(date) === text) return date;
  throw new InvalidInputError(`"${text}" is not a date; write it like 2024-01-31`);
}

function dateOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
