import type { Limits } from '../../config.ts';
import type { BlobStore, Digest } from '../../storage/blob-store.ts';
import type { ArchiveEntry } from './archive-entry.ts';
import { archiveFormat } from './archive-format.ts';
import { tarEntries } from './tar-entries.ts';
import { UnpackLimits } from './unpack-limits.ts';
import { openZipEntries } from './zip-entries.ts';

export interface UploadedArchive {
  blobs: BlobStore;
  digest: Digest;
  limits: Limits;
  signal: AbortSignal;
}

/** An archive whose entries are told once, in its own order. */
export interface OpenedArchive {
  /** Whether contents may be read when all entries are told, in any order. */
  isRandomAccess: boolean;
  entries(): AsyncGenerator<ArchiveEntry>;
  close(): void;
}

/** Zip, tar or tar.gz, by what the bytes say. */
export async function openArchive({
  blobs,
  digest,
  limits,
  signal,
}: UploadedArchive): Promise<OpenedArchive> {
  const size = (await blobs.size(digest)) ?? 0;
  const counted = new UnpackLimits(limits, size);
  const format = await archiveFormat(blobs, digest, size);
  if (format === 'zip') {
    return { isRandomAccess: true, ...(await openZipEntries({ blobs, digest, size }, counted)) };
  }
  const entries = (): AsyncGenerator<ArchiveEntry> =>
    tarEntries(blobs.read(digest), { gzip: format === 'tar.gz', limits: counted, signal });
  return { isRandomAccess: false, entries, close: () => undefined };
}
