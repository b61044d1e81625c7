import { requireUpload } from '../bundle-requests/submit.ts';
import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import { findUpload } from '../database/sql/find-upload.ts';
import { NotFoundError } from '../errors.ts';
import type { Principal } from '../identity/principal.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { inspectBuildArchive } from './archives/inspect-build-archive.ts';

/** Whether an uploaded archive of the principal's can be built from. Throws NotFoundError, ForbiddenError, InvalidInputError. */
export async function inspectUpload(
  { database, blobs, settings }: { database: Database; blobs: BlobStore; settings: Settings },
  principal: Principal,
  uploadId: number,
  { dockerfile }: { dockerfile: string | null },
): Promise<void> {
  await requireUpload(database, principal, uploadId);
  const digest = await findUpload(database.sql, uploadId);
  if (digest === null) throw new NotFoundError(`There is no upload ${uploadId}`);
  await inspectBuildArchive(
    {
      ...{ blobs, digest, limits: settings.limits },
      signal: AbortSignal.timeout(MOST_SECONDS * 1000),
    },
    dockerfile === null ? {} : { dockerfile },
  );
}

const MOST_SECONDS = 600;
