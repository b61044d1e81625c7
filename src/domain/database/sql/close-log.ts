import { CHANNEL } from '../../events/event.ts';
import { type LogSubject, logTopic } from '../../logs/log-line.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** No more lines come; readers that wait are told. */
export async function closeLog(sql: SqlExecutor, subject: LogSubject): Promise<void> {
  await sql.query(
    `with closed as (
       insert into log_streams as s (subject_type, subject_id, closed, closed_at) values ($1, $2, true, now())
       on conflict (subject_type, subject_id) do update set closed = true, closed_at = coalesce(s.closed_at, now())
     )
     select pg_notify('${CHANNEL}', $3)`,
    [subject.subjectType, subject.subjectId, logTopic(subject)],
  );
}

/** A retried subject goes on writing to its log. */
export async function reopenLog(sql: SqlExecutor, subject: LogSubject): Promise<void> {
  await sql.query(
    'update log_streams set closed = false, closed_at = null where subject_type = $1 and subject_id = $2',
    [subject.subjectType, subject.subjectId],
  );
}
