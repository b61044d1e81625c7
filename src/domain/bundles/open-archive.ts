import { findBlobsOfBundle } from '../database/sql/blobs-of-bundle.ts';
import type { BundleRow } from '../database/sql/find-bundle.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import { DomainError } from '../errors.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';
import { type ArchiveLayout, archiveLayout } from './archive-layout.ts';
import { parseManifest } from './bundle-manifest.ts';

const LARGEST_MANIFEST = 256 * 1024 * 1024;

/** Where the bytes of a stored bundle's archive are. Throws DomainError `damaged` when they are not all known. */
export async function openArchive(
  sql: SqlExecutor,
  blobs: BlobStore,
  bundle: BundleRow,
): Promise<ArchiveLayout> {
  const [manifest, parts] = await Promise.all([
    blobs
      .readWhole(bundle.manifestDigest, LARGEST_MANIFEST)
      .catch((error: Error) => refuse(bundle, error.message)),
    findBlobsOfBundle(sql, bundle),
  ]);
  const known = new Map(parts.map((blob) => [blob.digest, blob]));
  const part = (digest: Digest) => known.get(digest) ?? refuse(bundle, `the file ${digest} is not known`);
  const layout = archiveLayout(
    parseManifest(manifest.toString('utf8')),
    part(bundle.sourceMemberDigest),
    (digest) => part(digest).crc32,
  );
  // Another writer's archive of the same manifest: its digest would be a lie.
  if (layout.archiveSize !== bundle.archiveSize || layout.tarSize !== bundle.tarSize) {
    refuse(bundle, `the archive would have ${layout.archiveSize} bytes instead of ${bundle.archiveSize}`);
  }
  return layout;
}

function refuse(bundle: BundleRow, reason: string): never {
  throw new DomainError('damaged', `The bundle ${bundle.manifestDigest} cannot be put together: ${reason}`);
}
