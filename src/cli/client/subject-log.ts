import { follow } from './follow.ts';
import type { StowageClient } from './stowage-client.ts';

export interface LogLine {
  number: number;
  at: string;
  level: 'debug' | 'info' | 'warn' | 'error';
  source: string;
  text: string;
}

/** What has a log, by the name of its query in the schema. */
export type LoggedSubject = 'bundleRequest' | 'imageBuild';

/** Whether there is such a subject, so that there is a log, be it empty. */
export async function hasLog(
  client: StowageClient,
  subject: LoggedSubject,
  number: number,
): Promise<boolean> {
  const document = `query HasLog($number: Int!) { found: ${subject}(number: $number) { number } }`;
  const { found } = await client.run<{ found: object | null }>(document, { number });
  return found !== null;
}

const LINES = 'lines { number at level source text }';

/** Every line of a log, until the log is closed. */
export async function* followLog(
  client: StowageClient,
  subject: LoggedSubject,
  number: number,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const document = `subscription Log($number: Int!, $afterLine: Int) {
    page: ${subject}LogPages(number: $number, afterLine: $afterLine) { ${LINES} }
  }`;
  const followed = follow<{ page: { lines: LogLine[] } }>(
    client,
    {
      document,
      variables: { number },
      cursor: 'afterLine',
      position: ({ page }) => page.lines.at(-1)!.number,
    },
    signal,
  );
  for await (const { page } of followed) for (const line of page.lines) yield normal(line);
}

const PAGE_LINES = 1_000;

/** The lines that there are now. */
export async function* readLog(
  client: StowageClient,
  subject: LoggedSubject,
  number: number,
): AsyncGenerator<LogLine> {
  const document = `query LogPage($number: Int!, $afterLine: Int!, $limit: Int!) {
    found: ${subject}(number: $number) { log(afterLine: $afterLine, limit: $limit) { ${LINES} } }
  }`;
  for (let afterLine = 0; ; ) {
    const variables = { number, afterLine, limit: PAGE_LINES };
    const { found } = await client.run<{ found: { log: { lines: LogLine[] } } | null }>(document, variables);
    const lines = found?.log.lines ?? [];
    for (const line of lines) yield normal(line);
    if (lines.length < PAGE_LINES) return;
    afterLine = lines.at(-1)!.number;
  }
}

function normal(line: LogLine): LogLine {
  return { ...line, level: line.level.toLowerCase() as LogLine['level'] };
}
