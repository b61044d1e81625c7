import { createInterface } from 'node:readline';
import type { Database } from '../database/database.ts';
import { type LogStreamState, readLogLines, readLogStream } from '../database/sql/read-log-lines.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import type { LogLine, LogSubject } from './log-line.ts';

const PAGE = 1000;

/** The lines that a log had when it was opened. */
export interface OpenedLog {
  total: number;
  /** No more lines come. */
  closed: boolean;
  /** Pages of lines after a number. What is compacted is read once and never held whole. */
  pages(afterNumber: number): AsyncGenerator<LogLine[]>;
}

/** For reading a log at one go; {@link file://./read-log.ts} is for pages that are asked for one by one. */
export async function openLog(database: Database, blobs: BlobStore, subject: LogSubject): Promise<OpenedLog> {
  const opened = await readLogStream(database.sql, subject);
  return {
    total: opened?.lines ?? 0,
    closed: opened?.closed ?? false,
    pages: (afterNumber) => pagesOfLog(database, blobs, subject, opened, afterNumber),
  };
}

/** Pages of the lines after a number that a log had when somebody looked at its state. */
export async function* pagesOfLog(
  database: Database,
  blobs: BlobStore,
  subject: LogSubject,
  opened: LogStreamState | null,
  afterNumber: number,
): AsyncGenerator<LogLine[]> {
  const total = opened?.lines ?? 0;
  let stream = opened;
  let number = afterNumber;
  while (stream !== null && number < total) {
    const before = number;
    for await (const page of pagesOf(database, blobs, subject, stream, number)) {
      const lines = page.filter((line) => line.number <= total);
      if (lines.length > 0) yield lines;
      number = page.at(-1)!.number;
      if (number >= total) return;
    }
    // Compaction may have moved the lines since the look at the stream.
    const { compactedLines } = stream;
    stream = await readLogStream(database.sql, subject);
    if (number === before && stream?.compactedLines === compactedLines) return;
  }
}

async function* pagesOf(
  database: Database,
  blobs: BlobStore,
  subject: LogSubject,
  { digest, compactedLines }: LogStreamState,
  afterNumber: number,
): AsyncGenerator<LogLine[]> {
  let number = afterNumber;
  if (digest !== null && number < compactedLines) {
    yield* compactedPages(blobs, digest, number);
    number = compactedLines;
  }
  for (;;) {
    const lines = await readLogLines(database.sql, subject, number, PAGE);
    if (lines.length === 0) return;
    yield lines;
    number = lines.at(-1)!.number;
  }
}

/** Pages of so many lines of a compacted log after a number, in one pass over it. */
export async function* compactedPages(
  blobs: BlobStore,
  digest: Digest,
  afterNumber: number,
  lines = PAGE,
): AsyncGenerator<LogLine[]> {
  const input = blobs.read(digest);
  let page: LogLine[] = [];
  try {
    for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      const line = JSON.parse(text) as Omit<LogLine, 'at'> & { at: string };
      if (line.number <= afterNumber) continue;
      page.push({ ...line, at: new Date(line.at) });
      if (page.length < lines) continue;
      yield page;
      page = [];
    }
    if (page.length > 0) yield page;
  } finally {
    input.destroy();
  }
}
