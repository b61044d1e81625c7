import type { Digest, StoredBlob } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** The compressed source part that an earlier bundle made of the same listing, with the same writer; notes its use. */
export async function findSourceMember(
  sql: SqlExecutor,
  listingDigest: Digest,
  writerVersion: string,
): Promise<StoredBlob | null> {
  const rows = await sql.query<StoredBlob>(
    `update source_members m set last_used_at = now() from blobs b
     where m.listing_digest = $1 and m.writer_version = $2 and b.digest = m.digest
     returning b.digest, b.size, b.crc32`,
    [listingDigest, writerVersion],
  );
  return rows[0] ?? null;
}

export async function insertSourceMember(
  sql: SqlExecutor,
  listingDigest: Digest,
  writerVersion: string,
  digest: Digest,
): Promise<void> {
  await sql.query(
    `insert into source_members (listing_digest, digest, writer_version) values ($1, $2, $3)
     on conflict (listing_digest) do update
       set digest = excluded.digest, writer_version = excluded.writer_version, last_used_at = now()`,
    [listingDigest, digest, writerVersion],
  );
}
