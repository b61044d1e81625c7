import { createInterface } from 'node:readline';
import type { Database } from '../database/database.ts';
import { readLogLines, readLogStream } from '../database/sql/read-log-lines.ts';
import type { EventHub } from '../events/event-hub.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { type LogLine, type LogSubject, logTopic } from './log-line.ts';

const PAGE = 1000;

/** A page of lines after a number, wherever they are kept. */
export async function readLog(
  database: Database,
  blobs: BlobStore,
  subject: LogSubject,
  afterNumber: number,
  limit = PAGE,
): Promise<{ lines: LogLine[]; total: number; closed: boolean }> {
  const stream = await readLogStream(database.sql, subject);
  if (!stream) return { lines: [], total: 0, closed: false };
  const { digest, compactedLines, lines: total, closed } = stream;
  const lines =
    digest !== null && afterNumber < compactedLines
      ? await readCompacted(blobs, digest, afterNumber, limit)
      : await readLogLines(database.sql, subject, afterNumber, limit);
  if (
    lines.length === 0 &&
    total > afterNumber &&
    (await wasCompactedSince(database, subject, compactedLines))
  ) {
    return await readLog(database, blobs, subject, afterNumber, limit);
  }
  return { lines, total, closed };
}

/** Compaction may have moved the lines between two reads. */
async function wasCompactedSince(
  database: Database,
  subject: LogSubject,
  compactedLines: number,
): Promise<boolean> {
  const stream = await readLogStream(database.sql, subject);
  return stream !== null && stream.compactedLines > compactedLines;
}

/** All lines after a number and those to come; ends when the log is closed. */
export async function* followLog(
  database: Database,
  blobs: BlobStore,
  hub: EventHub,
  subject: LogSubject,
  afterNumber: number,
  signal: AbortSignal,
): AsyncGenerator<LogLine> {
  const read = async (after: number): Promise<(LogLine | null)[]> => {
    const { lines, closed, total } = await readLog(database, blobs, subject, after);
    const isEnd = closed && (lines.at(-1)?.number ?? after) >= total;
    return isEnd ? [...lines, null] : lines;
  };
  const positionOf = (line: LogLine | null): number => line?.number ?? Number.POSITIVE_INFINITY;
  for await (const line of hub.followPages(logTopic(subject), signal, {
    after: afterNumber,
    read,
    positionOf,
  })) {
    if (line === null) return;
    yield line;
  }
}

async function readCompacted(
  blobs: BlobStore,
  digest: `sha256:${string}`,
  afterNumber: number,
  limit: number,
): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  const input = blobs.read(digest);
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    const line = JSON.parse(text) as Omit<LogLine, 'at'> & { at: string };
    if (line.number <= afterNumber) continue;
    lines.push({ ...line, at: new Date(line.at) });
    if (lines.length >= limit) break;
  }
  input.destroy();
  return lines;
}
