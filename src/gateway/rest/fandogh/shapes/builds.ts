import type { BuildWithLog } from '../../../../domain/images/build-log.ts';
import type { LogLine } from '../../../../domain/logs/log-line.ts';
import { dateTime } from './dates.ts';
import { FANDOGH_STATES } from './states.ts';

export interface LogSlice {
  /** Lines that the client has. */
  offset: number;
  withTimestamp: boolean;
}

/**
 * A build with the lines that its client has not seen, as JSON in pieces: a log is never held whole (fandogh.md 1.9).
 * Lines are joined, so that there is none at the end that was begun.
 */
export async function* buildJson(
  { build, totalLines, pages }: BuildWithLog,
  { offset, withTimestamp }: LogSlice,
): AsyncGenerator<string> {
  const { state, startedAt, finishedAt, failure } = build;
  const rest = {
    state: FANDOGH_STATES[state.toUpperCase() as Uppercase<typeof state>],
    lines_count: totalLines,
    start_date: startedAt && dateTime(startedAt),
    end_date: finishedAt && dateTime(finishedAt),
    failure_reason: failure?.reason ?? null,
  };
  yield '{"logs":"';
  let separator = '';
  if (offset < totalLines) {
    for await (const lines of pages(offset)) {
      const text = lines.map((line) => lineText(line, withTimestamp)).join('\n');
      yield inner(separator + text);
      separator = '\n';
    }
  }
  yield `",${JSON.stringify(rest).slice(1)}`;
}

/** What JSON has between the quotation marks. */
function inner(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

function lineText({ at, text }: LogLine, withTimestamp: boolean): string {
  return withTimestamp ? `${at.toISOString()} ${text}` : text;
}
