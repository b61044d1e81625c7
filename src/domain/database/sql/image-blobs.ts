import type { Digest, StoredBlob } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/**
 * A blob that is written again counts as new for the collector, which then looks at its row again before it deletes it;
 * the row stays locked until whatever names the blob is committed.
 */
const keepBlobFrom = (source: string): string => `
  insert into blobs (digest, size, crc32) ${source}
  on conflict (digest) do update set created_at = now(), damaged_at = null
  where blobs.created_at < now() - interval '1 second' or blobs.damaged_at is not null`;
const KEEP_BLOB = keepBlobFrom('values ($1, $2, $3)');

/** Notes a blob that is durable in the store; what names it must be written in the same transaction. */
export async function keepBlob(sql: SqlExecutor, blob: StoredBlob): Promise<void> {
  await sql.query(KEEP_BLOB, [blob.digest, blob.size, blob.crc32]);
}

/**
 * Makes a blob that is durable in the store visible in an image, and ends the upload that it came with: in one statement,
 * which like all others holds the blob's own row before those that name it.
 */
export async function addImageBlob(
  sql: SqlExecutor,
  added: { imageId: number; blob: StoredBlob; sha512: string | null; uploadId: string | null },
): Promise<void> {
  const { imageId, blob, sha512, uploadId } = added;
  await sql.query(
    `with kept as (${KEEP_BLOB} returning digest),
     named as (
       insert into blob_addresses (address, digest) select $5::text, $1 where $5::text is not null on conflict do nothing
     ), ended as (
       delete from upload_sessions where id = $6::uuid
     )
     insert into image_blobs (image_id, digest) select $4::bigint, $1 from (select count(*) from kept) as first
     on conflict (image_id, digest) do update set touched_at = now()`,
    [blob.digest, blob.size, blob.crc32, imageId, sha512, uploadId],
    { prepared: true },
  );
}

/**
 * The same for an upload that nobody has sent anything to and nobody holds: all of the blob came at once. The generation of
 * the upload, and whether anybody ever held it; null: there is no such upload, and nothing has changed.
 */
export async function addImageBlobOfFreshUpload(
  sql: SqlExecutor,
  added: { imageId: number; blob: StoredBlob; sha512: string | null; uploadId: string },
): Promise<{ generation: number; wasHeld: boolean } | null> {
  const { imageId, blob, sha512, uploadId } = added;
  const rows = await sql.query<{ generation: number; wasHeld: boolean }>(
    `with ended as (
       delete from upload_sessions where id = $6 and image_id = $4 and size = 0 and holder is null
       returning generation, active_at > created_at as was_held
     ), kept as (${keepBlobFrom('select $1, $2, $3 from ended')} returning digest),
     named as (
       insert into blob_addresses (address, digest) select $5::text, $1 from ended where $5::text is not null
       on conflict do nothing
     ), linked as (
       insert into image_blobs (image_id, digest) select $4, $1 from ended, (select count(*) from kept) as first
       on conflict (image_id, digest) do update set touched_at = now()
     )
     select generation, was_held as "wasHeld" from ended`,
    [blob.digest, blob.size, blob.crc32, imageId, sha512, uploadId],
    { prepared: true },
  );
  return rows[0] ?? null;
}

/** Makes a blob that some image has visible in another one. False: no image has it any more. */
export async function mountImageBlob(sql: SqlExecutor, imageId: number, digest: Digest): Promise<boolean> {
  const rows = await sql.query(
    `with kept as (
       update blobs b set created_at = now()
       where b.digest = $2 and b.damaged_at is null and exists (select from image_blobs l where l.digest = b.digest) returning b.digest
     )
     insert into image_blobs (image_id, digest) select $1, digest from kept
     on conflict (image_id, digest) do update set touched_at = now()
     returning digest`,
    [imageId, digest],
  );
  return rows.length > 0;
}

/** Somebody who pushes was told that the image has the blob, and will not upload it: its grace period begins anew. */
export async function touchImageBlob(sql: SqlExecutor, imageId: number, digest: Digest): Promise<boolean> {
  const rows = await sql.query(
    'update image_blobs set touched_at = now() where image_id = $1 and digest = $2 returning digest',
    [imageId, digest],
  );
  return rows.length > 0;
}

/** False: it was not visible there. */
export async function removeImageBlob(sql: SqlExecutor, imageId: number, digest: Digest): Promise<boolean> {
  const rows = await sql.query(
    'delete from image_blobs where image_id = $1 and digest = $2 returning digest',
    [imageId, digest],
  );
  return rows.length > 0;
}

/**
 * Ends the visibility of blobs that no manifest of their image names, once the grace period is over. What somebody just
 * holds is in use, and nobody who holds several waits for this.
 */
export async function removeUnnamedImageBlobs(sql: SqlExecutor, graceSeconds: number): Promise<number> {
  const rows = await sql.query(
    `delete from image_blobs l using (
       select image_id, digest from image_blobs
       where not is_named and touched_at < now() - make_interval(secs => $1) for update skip locked
     ) as unused
     where l.image_id = unused.image_id and l.digest = unused.digest returning 1`,
    [graceSeconds],
  );
  return rows.length;
}

/** Bytes of all distinct blobs that are visible in the images of a repository. */
export async function bytesOfRepository(sql: SqlExecutor, repositoryId: number): Promise<number> {
  const [row] = await sql.query<{ bytes: number }>(
    `select coalesce(sum(b.size), 0)::bigint as bytes from blobs b
     where b.digest in (
       select l.digest from image_blobs l join images i on i.id = l.image_id where i.repository_id = $1
     )`,
    [repositoryId],
  );
  return row!.bytes;
}
