import type { DomainEvent, FeedCursor, SubjectType } from '../../events/event.ts';
import type { SqlExecutor } from '../sql-executor.ts';

const COLUMNS = `subject_type as "subjectType", subject_id as "subjectId", version, type, data, at`;

/** Events of one subject after a version, oldest first. */
export async function readSubjectEvents(
  sql: SqlExecutor,
  subjectType: SubjectType,
  subjectId: number,
  afterVersion: number,
  limit: number,
): Promise<DomainEvent[]> {
  return await sql.query<DomainEvent>(
    `select ${COLUMNS} from events
     where subject_type = $1 and subject_id = $2 and version > $3
     order by version limit $4`,
    [subjectType, subjectId, afterVersion, limit],
  );
}

/**
 * Events of all subjects of a type after a cursor. Reads only what was written by transactions older than every running
 * one: an event that commits late can then never be skipped.
 */
export async function readFeed(
  sql: SqlExecutor,
  subjectType: SubjectType,
  after: FeedCursor,
  limit: number,
): Promise<(DomainEvent & { cursor: FeedCursor })[]> {
  const [txid = '0', position = '0'] = after.split('.');
  return await sql.query(
    `select ${COLUMNS}, txid || '.' || position as cursor from events
     where (txid, position) > ($1::xid8, $2::bigint)
       and txid < feed_txid(pg_snapshot_xmin(pg_current_snapshot()))
       and subject_type = $3
     order by txid, position limit $4`,
    [txid, position, subjectType, limit],
  );
}

interface FeedEnd {
  cursor: FeedCursor;
  snapshot: string;
  /** What cursors add to the ids of transactions in the snapshot. */
  offset: string;
}

/** The end of the feed that can be read now, and what was committed by now: it may be more. */
export async function readFeedEnd(sql: SqlExecutor): Promise<FeedEnd> {
  const [row] = await sql.query<FeedEnd>(
    `select pg_current_snapshot()::text as snapshot, feed_offset()::text as offset, coalesce(
       (select txid || '.' || position from events
        where txid < feed_txid(pg_snapshot_xmin(pg_current_snapshot())) order by txid desc, position desc limit 1),
       '0.0') as cursor`,
  );
  return row!;
}
