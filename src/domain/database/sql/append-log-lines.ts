import { CHANNEL } from '../../events/event.ts';
import { type LogLevel, type LogSubject, logTopic, type NewLogLine } from '../../logs/log-line.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Most of one page: who reads a line reads its whole page. */
const PAGE_LINES = 1_000;
const PAGE_CHARACTERS = 256 * 1024;

/**
 * Appends lines under the stream's row lock, which numbers them without gaps, and wakes readers once. A closed log takes
 * no more lines: writers that were fenced off come too late.
 */
export async function appendLogLines(
  sql: SqlExecutor,
  subject: LogSubject,
  lines: readonly NewLogLine[],
): Promise<void> {
  const pages = pagesOf(lines);
  await sql.query(
    `with stream as (
       insert into log_streams as s (subject_type, subject_id, lines) values ($1, $2, $3)
       on conflict (subject_type, subject_id) do update set lines = s.lines + $3 where not s.closed
       returning id, lines - $3 as before
     ), written as (
       insert into log_pages (stream_id, first_number, last_number, lines)
       select stream.id, stream.before + page.first, stream.before + page.last, page.lines
       from stream, unnest($4::bigint[], $5::bigint[], string_to_array($6, E'\\n')) as page (first, last, lines)
     )
     select pg_notify('${CHANNEL}', $7)`,
    [
      subject.subjectType,
      subject.subjectId,
      lines.length,
      pages.map((page) => page.first),
      pages.map((page) => page.last),
      // There are no line breaks in the JSON: cheaper than an array, which would have to be quoted once more.
      pages.map((page) => page.json).join('\n'),
      logTopic(subject),
    ],
    { prepared: true },
  );
}

interface Page {
  /** From 1, among the lines that are appended. */
  first: number;
  last: number;
  json: string;
}

function pagesOf(lines: readonly NewLogLine[]): Page[] {
  const pages: Page[] = [];
  for (let start = 0; start < lines.length; ) {
    let end = start;
    for (let characters = 0; end < lines.length && end - start < PAGE_LINES; end += 1) {
      characters += lines[end]!.text.length;
      if (characters > PAGE_CHARACTERS && end > start) break;
    }
    pages.push({ first: start + 1, last: end, json: JSON.stringify(runsOf(lines.slice(start, end))) });
    start = end;
  }
  return pages;
}

/** Lines that were written at the same time: the faster they come, the more they are. */
export type LogRun = [at: number, level: LogLevel, source: string, texts: string[]];

function runsOf(lines: readonly NewLogLine[]): LogRun[] {
  const runs: LogRun[] = [];
  let run: LogRun | undefined;
  for (const { at, level, source, text } of lines) {
    if (run && run[0] === at.getTime() && run[1] === level && run[2] === source) run[3].push(text);
    else {
      run = [at.getTime(), level, source, [text]];
      runs.push(run);
    }
  }
  return runs;
}
