import { requireUpload } from '../bundle-requests/submit.ts';
import type { Settings } from '../config.ts';
import type { Database } from '../database/database.ts';
import type { Principal } from '../identity/principal.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import { inspectBuildArchive } from './archives/inspect-build-archive.ts';

/** Whether an uploaded archive of the principal's can be built from. Throws NotFoundError, ForbiddenError, InvalidInputError. */
export async function inspectUpload(
  { database, blobs, settings }: { database: Database; blobs: BlobStore; settings: Settings },
  principal: Principal,
  uploadId: number,
  { dockerfile }: { dockerfile: string | null },
): Promise<void> {
  await requireUpload(database, principal, uploadId);
  const [upload] = await database.sql.query<{ digest: Digest }>('select digest from uploads where id = $1', [
    uploadId,
  ]);
  await inspectBuildArchive(
    {
      ...{ blobs, digest: upload!.digest, limits: settings.limits },
      signal: AbortSignal.timeout(MOST_SECONDS * 1000),
    },
    dockerfile === null ? {} : { dockerfile },
  );
}

const MOST_SECONDS = 600;
