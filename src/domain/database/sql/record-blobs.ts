import type { StoredBlob } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/**
 * Notes blobs that are durable in the store, before anything names them. One that was known, and may just have lost its
 * last name, counts as new for the garbage collection.
 */
export async function recordBlobs(sql: SqlExecutor, blobs: readonly StoredBlob[]): Promise<void> {
  if (blobs.length === 0) return;
  await sql.query(
    `insert into blobs (digest, size, crc32)
     select distinct on (digest) digest, size, crc32
     from unnest($1::text[], $2::bigint[], $3::bigint[]) as blob (digest, size, crc32)
     order by digest
     on conflict (digest) do update set created_at = now() where blobs.created_at < now() - interval '10 minutes'`,
    [blobs.map((blob) => blob.digest), blobs.map((blob) => blob.size), blobs.map((blob) => blob.crc32)],
  );
}
