import { setImmediate } from 'node:timers/promises';
import type { Database } from '../database/database.ts';
import { readLogLines, readLogStream } from '../database/sql/read-log-lines.ts';
import type { EventHub } from '../events/event-hub.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import { type LogLine, type LogSubject, logTopic } from './log-line.ts';
import { compactedPages } from './stream-log.ts';

const PAGE = 1000;
/** For so long lines are passed on without a pause. */
const TURN_MS = 10;

/** Lines that follow each other, and the state of their log when they were read. */
export interface LogPage {
  lines: LogLine[];
  /** Lines that there are. */
  total: number;
  /** No more lines come. */
  closed: boolean;
}

/** A page of lines after a number, wherever they are kept. */
export async function readLog(
  database: Database,
  blobs: BlobStore,
  subject: LogSubject,
  afterNumber: number,
  limit = PAGE,
): Promise<LogPage> {
  const page = await readWhole(database, subject, afterNumber, limit, (digest, after) =>
    readCompacted(blobs, digest, after, limit),
  );
  return { ...page, lines: page.lines.slice(0, limit) };
}

/** As it is kept: there may be some more lines than `atLeast`. */
async function readWhole(
  database: Database,
  subject: LogSubject,
  afterNumber: number,
  atLeast: number,
  readFrom: ReadCompacted,
): Promise<LogPage> {
  const stream = await readLogStream(database.sql, subject);
  if (!stream) return { lines: [], total: 0, closed: false };
  const { digest, compactedLines, lines: total, closed } = stream;
  const lines =
    digest !== null && afterNumber < compactedLines
      ? await readFrom(digest, afterNumber)
      : await readLogLines(database.sql, subject, afterNumber, atLeast);
  if (
    lines.length === 0 &&
    total > afterNumber &&
    (await wasCompactedSince(database, subject, compactedLines))
  ) {
    return await readWhole(database, subject, afterNumber, atLeast, readFrom);
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
  let since = performance.now();
  for await (const { lines } of followLogPages(database, blobs, hub, subject, afterNumber, signal)) {
    for (const line of lines) {
      if (signal.aborted) return;
      yield line;
      if (performance.now() - since < TURN_MS) continue;
      // Others have their turn too: what takes lines one by one may never wait for anything.
      await setImmediate();
      since = performance.now();
    }
  }
}

/** The same, by as many lines as there are at a time: for logs that grow faster than one can take single lines. */
export async function* followLogPages(
  database: Database,
  blobs: BlobStore,
  hub: EventHub,
  subject: LogSubject,
  afterNumber: number,
  signal: AbortSignal,
): AsyncGenerator<LogPage> {
  const compacted = new CompactedReader(blobs);
  const read = async (after: number): Promise<(LogPage & { last: number })[]> => {
    const page = await readWhole(database, subject, after, PAGE, (digest, from) =>
      compacted.read(digest, from),
    );
    const last = page.lines.at(-1)?.number ?? after;
    const isEnd = page.closed && last >= page.total;
    return page.lines.length > 0 || isEnd ? [{ ...page, last }] : [];
  };
  try {
    for await (const { last, ...page } of hub.followPages(logTopic(subject), signal, {
      after: afterNumber,
      read,
      positionOf: (page) => page.last,
      isNewest: (page) => page.last >= page.total,
    })) {
      if (page.lines.length > 0) yield page;
      if (page.closed && last >= page.total) return;
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
  for await (const page of compactedPages(blobs, digest, afterNumber, limit)) return page;
  return [];
}
