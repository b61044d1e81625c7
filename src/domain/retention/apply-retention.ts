import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import { RETENTION_RULES, type RetentionRule } from './rules.ts';

type Ages = Pick<Settings, RetentionRule['age']>;

/** What a rule has removed, or would remove. */
export interface RetentionCount {
  rule: RetentionRule['name'];
  what: string;
  /** Seconds; null: the rule is off. */
  age: number | null;
  count: number;
}

/**
 * Removes what is older than its rule allows, batch by batch, each in a transaction of its own: it stops nobody, several may
 * do it at once, and whoever is ended in the middle leaves the rest to the next run.
 *
 * @param goesOn asked before each batch; false: the rest is left
 */
export async function applyRetention(
  database: Database,
  ages: Ages,
  {
    goesOn,
    onRemoved = () => undefined,
  }: { goesOn: () => Promise<boolean>; onRemoved?: (rule: RetentionRule['name'], count: number) => void },
): Promise<RetentionCount[]> {
  const now = Date.now();
  const counts: RetentionCount[] = [];
  for (const rule of RETENTION_RULES) {
    const entry = entryOf(rule, ages);
    counts.push(entry);
    const before = beforeOf(entry, now);
    for (let isAll = before === null; !isAll && (await goesOn()); ) {
      const done = await database.transaction((tx) => rule.remove(tx, before!, rule.batch));
      isAll = done.isAll;
      entry.count += done.removed;
      if (done.removed > 0) onRemoved(rule.name, done.removed);
    }
  }
  return counts;
}

/** What would go now; nothing is changed. */
export async function explainRetention(
  database: Pick<Database, 'sql'>,
  ages: Ages,
): Promise<RetentionCount[]> {
  const now = Date.now();
  const counts: RetentionCount[] = [];
  for (const rule of RETENTION_RULES) {
    const entry = entryOf(rule, ages);
    const before = beforeOf(entry, now);
    counts.push(before === null ? entry : { ...entry, count: await rule.count(database.sql, before) });
  }
  return counts;
}

function entryOf({ name, what, age }: RetentionRule, ages: Ages): RetentionCount {
  return { rule: name, what, age: ages[age], count: 0 };
}

function beforeOf({ age }: RetentionCount, now: number): Date | null {
  return age === null ? null : new Date(now - age * 1000);
}
