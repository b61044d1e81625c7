import type { LogLine, LogSubject } from '../../logs/log-line.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Lines after `afterNumber`, oldest first, from the table (not yet compacted ones). */
export async function readLogLines(
  sql: SqlExecutor,
  subject: LogSubject,
  afterNumber: number,
  limit: number,
): Promise<LogLine[]> {
  return await sql.query<LogLine>(
    `select l.number, l.at, l.level, l.source, l.text
     from log_streams s join log_lines l on l.stream_id = s.id
     where s.subject_type = $1 and s.subject_id = $2 and l.number > $3
     order by l.number limit $4`,
    [subject.subjectType, subject.subjectId, afterNumber, limit],
  );
}

export interface LogStreamState {
  id: number;
  lines: number;
  closed: boolean;
  /** So many lines, from the first, lie in the blob. */
  compactedLines: number;
  digest: `sha256:${string}` | null;
}

export async function readLogStream(sql: SqlExecutor, subject: LogSubject): Promise<LogStreamState | null> {
  const rows = await sql.query<LogStreamState>(
    `select id, lines, closed, compacted_lines as "compactedLines", digest from log_streams where subject_type = $1 and subject_id = $2`,
    [subject.subjectType, subject.subjectId],
  );
  return rows[0] ?? null;
}
