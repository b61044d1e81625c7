import { createInterface } from 'node:readline';
import type { Database } from '../database/database.ts';
import { readLogLines, readLogStream } from '../database/sql/read-log-lines.ts';
import type { EventHub } from '../events/event-hub.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import { type LogLine, type LogSubject, logTopic } from './log-line.ts';
import { compactedPages } from './stream-log.ts';

const PAGE = 1000;

/** A page of lines after a number, wherever they are kept. */
export async function readLog(
  database: Database,
  blobs: BlobStore,
  subject: LogSubject,
  afterNumber: number,
  limit = PAGE,
  readFrom: ReadCompacted = (digest, after) => readCompacted(blobs, digest, after, limit),
): Promise<{ lines: LogLine[]; total: number; closed: boolean }> {
  const stream = await readLogStream(database.sql, subject);
  if (!stream) return { lines: [], total: 0, closed: false };
  const { digest, compactedLines, lines: total, closed } = stream;
  const lines =
    digest !== null && afterNumber < compactedLines
      ? await readFrom(digest, afterNumber)
      : await readLogLines(database.sql, subject, afterNumber, limit);
  if (
    lines.length === 0 &&
    total > afterNumber &&
    (await wasCompactedSince(database, subject, compactedLines))
  ) {
    return await readLog(database, blobs, subject, afterNumber, limit, readFrom);
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
  const compacted = new CompactedReader(blobs);
  const read = async (after: number): Promise<(LogLine | null)[]> => {
    const { lines, closed, total } = await readLog(database, blobs, subject, after, PAGE, (digest, from) =>
      compacted.read(digest, from),
    );
    const isEnd = closed && (lines.at(-1)?.number ?? after) >= total;
    return isEnd ? [...lines, null] : lines;
  };
  const positionOf = (line: LogLine | null): number => line?.number ?? Number.POSITIVE_INFINITY;
  try {
    for await (const line of hub.followPages(logTopic(subject), signal, {
      after: afterNumber,
      read,
      positionOf,
    })) {
      if (line === null) return;
      yield line;
    }
  } finally {
    await compacted.close();
  }
}

type ReadCompacted = (digest: Digest, afterNumber: number) => Promise<LogLine[]>;

/** Reads page after page in one pass: whoever follows a long log would else read it from its first line for each. */
class CompactedReader {
  readonly #blobs: BlobStore;
  #pages: AsyncGenerator<LogLine[]> | null = null;
  #digest: Digest | null = null;
  #position = 0;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  async read(digest: Digest, afterNumber: number): Promise<LogLine[]> {
    if (this.#pages === null || digest !== this.#digest || afterNumber !== this.#position) {
      await this.close();
      this.#pages = compactedPages(this.#blobs, digest, afterNumber);
      this.#digest = digest;
    }
    const { value } = await this.#pages.next();
    const lines: LogLine[] = value ?? [];
    this.#position = lines.at(-1)?.number ?? afterNumber;
    return lines;
  }

  async close(): Promise<void> {
    await this.#pages?.return(undefined);
    this.#pages = null;
  }
}

async function readCompacted(
  blobs: BlobStore,
  digest: Digest,
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
