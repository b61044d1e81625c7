import { CHANNEL, type SubjectType } from '../../events/event.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Writes an event and wakes subscribers when the transaction commits. The notification carries ids only. */
export async function recordEvent(
  sql: SqlExecutor,
  event: { subjectType: SubjectType; subjectId: number; version: number; type: string; data: object },
): Promise<void> {
  await sql.query(
    `with recorded as (
       insert into events (subject_type, subject_id, version, type, data) values ($1, $2, $3, $4, $5::jsonb)
     )
     select pg_notify('${CHANNEL}', $1 || ':' || $2)`,
    [event.subjectType, event.subjectId, event.version, event.type, JSON.stringify(event.data)],
  );
}
