import { CHANNEL } from '../../events/event.ts';
import { type LogSubject, logTopic, type NewLogLine } from '../../logs/log-line.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/**
 * Appends lines under the stream's row lock, which numbers them without gaps, and wakes readers once. A closed log takes
 * no more lines: writers that were fenced off come too late.
 */
export async function appendLogLines(
  sql: SqlExecutor,
  subject: LogSubject,
  lines: readonly NewLogLine[],
): Promise<void> {
  await sql.query(
    `with stream as (
       insert into log_streams as s (subject_type, subject_id, lines) values ($1, $2, $7)
       on conflict (subject_type, subject_id) do update set lines = s.lines + $7 where not s.closed
       returning id, lines - $7 as before
     ), written as (
       insert into log_lines (stream_id, number, at, level, source, text)
       select stream.id, stream.before + line.ordinality, line.at, line.level, line.source, line.text
       from stream, unnest($3::timestamptz[], $4::text[], $5::text[], $6::text[])
         with ordinality as line (at, level, source, text, ordinality)
     )
     select pg_notify('${CHANNEL}', $8)`,
    [
      subject.subjectType,
      subject.subjectId,
      lines.map((line) => line.at),
      lines.map((line) => line.level),
      lines.map((line) => line.source),
      lines.map((line) => line.text),
      lines.length,
      logTopic(subject),
    ],
  );
}
