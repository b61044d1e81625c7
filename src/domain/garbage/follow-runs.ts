import type { Database } from '../database/database.ts';
import { type GarbageRun, listGarbageRuns } from '../database/sql/garbage-runs.ts';
import type { IdRange } from '../database/sql/id-range.ts';
import type { DomainEvent, FeedCursor } from '../events/event.ts';
import type { EventHub } from '../events/event-hub.ts';
import { requireFeedCursor } from '../events/feed-cursor.ts';
import { type Principal, requireAdmin } from '../identity/principal.ts';

/** The latest first. For administrators. */
export async function findGarbageRuns(
  database: Database,
  principal: Principal,
  range: IdRange,
): Promise<GarbageRun[]> {
  requireAdmin(principal);
  return await listGarbageRuns(database.sql, range);
}

/** How far collections are, after a cursor or from now on. For administrators. */
export async function followGarbageRuns(
  hub: EventHub,
  principal: Principal,
  after: FeedCursor | null,
  signal: AbortSignal,
): Promise<AsyncGenerator<DomainEvent & { cursor: FeedCursor }>> {
  requireAdmin(principal);
  requireFeedCursor(after);
  return hub.feed('garbage-run', after, signal);
}
