import type { Database } from '../database/database.ts';
import { findBuildWithLog } from '../database/sql/image-build-rows.ts';
import type { Principal } from '../identity/principal.ts';
import type { LogLine } from '../logs/log-line.ts';
import { pagesOfLog } from '../logs/stream-log.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import type { ImageBuild } from './image-build.ts';
import { requireBuildView } from './permissions.ts';

/** A build and the lines that its log had at the same moment. */
export interface BuildWithLog {
  build: ImageBuild;
  /** Lines are numbered from 1 without gaps. */
  totalLines: number;
  /** Pages of the lines after a number, up to the total. */
  pages(afterNumber: number): AsyncGenerator<LogLine[]>;
}

/**
 * State and log as of one moment (fandogh.md 1.9): who sees that the build is over sees its last line too, since the log
 * is written before the state that it explains. Throws NotFoundError.
 */
export async function readBuildLog(
  { database, blobs }: { database: Database; blobs: BlobStore },
  principal: Principal,
  id: number,
): Promise<BuildWithLog> {
  const seen = await requireBuildView(database, principal, id);
  const { build, stream } = (await findBuildWithLog(database.sql, id)) ?? { build: seen, stream: null };
  const subject = { subjectType: 'image-build', subjectId: id } as const;
  return {
    build,
    totalLines: stream?.lines ?? 0,
    pages: (afterNumber) => pagesOfLog(database, blobs, subject, stream, afterNumber),
  };
}
