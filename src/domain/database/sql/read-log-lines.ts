import type { LogLine, LogSubject } from '../../logs/log-line.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import type { LogRun } from './append-log-lines.ts';

/**
 * Lines after `afterNumber`, oldest first, from the table (not yet compacted ones): whole pages, those with the next
 * `atLeast` lines.
 */
export async function readLogLines(
  sql: SqlExecutor,
  subject: LogSubject,
  afterNumber: number,
  atLeast: number,
): Promise<LogLine[]> {
  const pages = await sql.query<{ first: number; lines: string }>(
    `select first_number as first, lines from log_pages
     where stream_id = (select id from log_streams where subject_type = $1 and subject_id = $2)
       and last_number > $3 and first_number <= $3::bigint + $4::bigint
     order by last_number`,
    [subject.subjectType, subject.subjectId, afterNumber, atLeast],
    { prepared: true },
  );
  const found: LogLine[] = [];
  for (const { first, lines } of pages) addLines(found, first, lines, afterNumber);
  return found;
}

function addLines(to: LogLine[], first: number, json: string, afterNumber: number): void {
  let number = first;
  for (const [time, level, source, texts] of JSON.parse(json) as LogRun[]) {
    const at = new Date(time);
    for (const text of texts) {
      if (number > afterNumber) to.push({ number, at, level, source, text });
      number += 1;
    }
  }
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
