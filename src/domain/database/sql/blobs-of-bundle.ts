import type { Digest, StoredBlob } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** What is known of the blobs that a bundle's archive is made of, the source member among them. */
export async function findBlobsOfBundle(
  sql: SqlExecutor,
  bundle: { manifestDigest: Digest; sourceMemberDigest: Digest },
): Promise<StoredBlob[]> {
  return await sql.query<StoredBlob>(
    `select digest, size, crc32 from blobs
     where digest = $2 or digest in (select digest from bundle_blobs where manifest_digest = $1)`,
    [bundle.manifestDigest, bundle.sourceMemberDigest],
  );
}
