import type { Database } from '../database/database.ts';
import { type LogStreamState, readLogLines, readLogStream } from '../database/sql/read-log-lines.ts';
import { recordBlobs } from '../database/sql/record-blobs.ts';
import { replaceLogLinesByBlob } from '../database/sql/replace-log-lines-by-blob.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { LogSubject } from './log-line.ts';

const PAGE = 5000;

/** Moves the lines of a closed log into one blob. Does nothing when the log is open or all of it is compacted. */
export async function compactLog(database: Database, blobs: BlobStore, subject: LogSubject): Promise<void> {
  const stream = await readLogStream(database.sql, subject);
  if (!stream?.closed || stream.lines === stream.compactedLines) return;
  const blob = await blobs.write(linesOf(database, blobs, subject, stream));
  await database.transaction(async ({ sql }) => {
    await recordBlobs(sql, [blob]);
    await replaceLogLinesByBlob(sql, stream.id, stream.lines, blob.digest);
  });
}

async function* linesOf(
  database: Database,
  blobs: BlobStore,
  subject: LogSubject,
  stream: LogStreamState,
): AsyncGenerator<Uint8Array> {
  if (stream.digest !== null) yield* blobs.read(stream.digest);
  for (let number = stream.compactedLines; ; ) {
    const lines = await readLogLines(database.sql, subject, number, PAGE);
    if (lines.length === 0) return;
    yield Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    number = lines.at(-1)!.number;
  }
}
