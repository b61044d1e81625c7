import { CHANNEL } from '../../events/event.ts';
import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/**
 * Raises the image's version and writes the event under it. Called first in every transaction that changes manifests or
 * tags: whoever holds the image's row changes them alone.
 */
export async function recordImageEvent(
  sql: SqlExecutor,
  event: { imageId: number; type: string; data: object; userId: number | null },
): Promise<void> {
  await sql.query(
    `with image as (
       update images set version = version + 1, modified_at = clock_timestamp(), modified_by_id = coalesce($4, modified_by_id)
       where id = $1 returning version
     ), recorded as (
       insert into events (subject_type, subject_id, version, type, data)
       select 'image', $1, version, $2, $3::jsonb from image
     )
     select pg_notify('${CHANNEL}', 'image:' || $1) from image`,
    [event.imageId, event.type, JSON.stringify(event.data), event.userId],
  );
}

/** Holds the row of an image, as whoever changes its manifests or tags does. False: it is gone. */
export async function lockImage(sql: SqlExecutor, imageId: number): Promise<boolean> {
  const rows = await sql.query('select id from images where id = $1 for no key update', [imageId]);
  return rows.length > 0;
}

/** Store digests by address, of those that the image has; a manifest names them from now on. */
export async function nameImageBlobs(
  sql: SqlExecutor,
  imageId: number,
  addresses: readonly string[],
): Promise<Map<string, Digest>> {
  const rows = await sql.query<{ address: string; digest: Digest }>(
    `with asked as (
       select one.address, coalesce(a.digest, one.address) as digest
       from unnest($2::text[]) as one (address) left join blob_addresses a on a.address = one.address
     ), named as (
       update image_blobs set is_named = true, touched_at = now()
       where image_id = $1 and digest in (select digest from asked) returning digest
     )
     select asked.address, asked.digest from asked join named on named.digest = asked.digest`,
    [imageId, addresses],
  );
  return new Map(rows.map((row) => [row.address, row.digest]));
}

/** Ids and digests of manifests of the image by address. */
export async function findManifests(
  sql: SqlExecutor,
  imageId: number,
  addresses: readonly string[],
): Promise<Map<string, { id: number; digest: Digest }>> {
  const rows = await sql.query<{ address: string; id: number; digest: Digest }>(
    `select one.address, m.id, m.digest
     from unnest($2::text[]) as one (address)
     join manifests m on m.image_id = $1 and (m.digest = one.address or m.sha512 = one.address)`,
    [imageId, addresses],
  );
  return new Map(rows.map(({ address, id, digest }) => [address, { id, digest }]));
}

export interface ManifestRow {
  imageId: number;
  digest: Digest;
  sha512: string | null;
  mediaType: string;
  size: number;
  artifactType: string | null;
  annotations: Record<string, string> | null;
  subject: string | null;
  configDigest: string | null;
  configMediaType: string | null;
  os: string | null;
  architecture: string | null;
  variant: string | null;
  userId: number | null;
}

/** A manifest that is there already keeps what it is; it may get another name or media type. */
export async function insertManifest(
  sql: SqlExecutor,
  row: ManifestRow,
): Promise<{ id: number; isNew: boolean }> {
  const [inserted] = await sql.query<{ id: number; isNew: boolean }>(
    `insert into manifests (image_id, digest, sha512, media_type, size, artifact_type, annotations, subject,
       config_digest, config_media_type, os, architecture, variant, image_size, pushed_by_id)
     values ($1, $2, $3, $4, $5, $6, $7::json, $8, $9, $10, $11, $12, $13, 0, $14)
     on conflict (image_id, digest) do update set
       media_type = excluded.media_type,
       sha512 = coalesce(excluded.sha512, manifests.sha512),
       touched_at = excluded.touched_at,
       discarded_at = null
     returning id, xmax = 0 as "isNew"`,
    [
      row.imageId,
      row.digest,
      row.sha512,
      row.mediaType,
      row.size,
      row.artifactType,
      row.annotations === null ? null : JSON.stringify(row.annotations),
      row.subject,
      row.configDigest,
      row.configMediaType,
      row.os,
      row.architecture,
      row.variant,
      row.userId,
    ],
  );
  return inserted!;
}

export interface BlobReference {
  role: 'config' | 'layer';
  address: string;
  /** null: it is not here. */
  digest: Digest | null;
  mediaType: string;
  size: number;
}

export interface ChildReference {
  address: string;
  digest: Digest;
  mediaType: string;
  size: number;
  os: string | null;
  architecture: string | null;
  variant: string | null;
}

export async function insertManifestReferences(
  sql: SqlExecutor,
  manifestId: number,
  blobs: readonly BlobReference[],
  children: readonly ChildReference[],
): Promise<void> {
  if (blobs.length > 0) {
    await sql.query(
      `insert into manifest_blobs (manifest_id, position, role, address, digest, media_type, size)
       select $1, n - 1, role, address, digest, media_type, size
       from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[]) with ordinality
         as one (role, address, digest, media_type, size, n)`,
      [
        manifestId,
        blobs.map((one) => one.role),
        blobs.map((one) => one.address),
        blobs.map((one) => one.digest),
        blobs.map((one) => one.mediaType),
        blobs.map((one) => one.size),
      ],
    );
  }
  if (children.length > 0) {
    await sql.query(
      `insert into manifest_children (manifest_id, position, address, digest, media_type, size, os, architecture, variant)
       select $1, n - 1, address, digest, media_type, size, os, architecture, variant
       from unnest($2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[]) with ordinality
         as one (address, digest, media_type, size, os, architecture, variant, n)`,
      [
        manifestId,
        children.map((one) => one.address),
        children.map((one) => one.digest),
        children.map((one) => one.mediaType),
        children.map((one) => one.size),
        children.map((one) => one.os),
        children.map((one) => one.architecture),
        children.map((one) => one.variant),
      ],
    );
  }
  await sql.query(
    `update manifests m set image_size = coalesce((
       select sum(size) from (
         select distinct on (mb.address) mb.address, mb.size from manifest_blobs mb
         where mb.manifest_id = m.id or mb.manifest_id in (
           select child.id from manifest_children mc
           join manifests child on child.image_id = m.image_id and child.digest = mc.digest
           where mc.manifest_id = m.id
         )
       ) as one
     ), 0) where m.id = $1`,
    [manifestId],
  );
}

/** Referrers that were left behind have their subject again. */
export async function adoptReferrers(
  sql: SqlExecutor,
  imageId: number,
  addresses: readonly string[],
): Promise<void> {
  await sql.query(
    `update manifests set orphaned_at = null
     where image_id = $1 and subject = any($2::text[]) and orphaned_at is not null`,
    [imageId, addresses],
  );
}

/** Puts tags on a manifest; those that were on others move. What a tag has been through stays with it. */
export async function moveTags(
  sql: SqlExecutor,
  moved: { imageId: number; manifestId: number; tags: readonly string[]; userId: number | null },
): Promise<void> {
  const { imageId, manifestId, tags, userId } = moved;
  if (tags.length === 0) return;
  const old = await sql.query<{ manifestId: number }>(
    'select distinct manifest_id as "manifestId" from tags where image_id = $1 and name = any($2::text[])',
    [imageId, tags],
  );
  await sql.query(
    `insert into tags (image_id, name, manifest_id, created_by_id, modified_by_id)
     select $1, name, $2, $4, $4 from unnest($3::text[]) as one (name)
     on conflict (image_id, name) do update set
       manifest_id = excluded.manifest_id, modified_by_id = excluded.modified_by_id, modified_at = excluded.modified_at`,
    [imageId, manifestId, tags, userId],
  );
  await noteUntagged(sql, [manifestId, ...old.map((row) => row.manifestId)]);
}

async function noteUntagged(sql: SqlExecutor, manifestIds: readonly number[]): Promise<void> {
  await sql.query(
    `update manifests m set untagged_at =
       case when exists (select from tags t where t.manifest_id = m.id) then null else coalesce(m.untagged_at, now()) end
     where m.id = any($1::bigint[])`,
    [manifestIds],
  );
}

/** Digest of the manifest that it was on; null: there is no such tag. */
export async function deleteTag(sql: SqlExecutor, imageId: number, tag: string): Promise<Digest | null> {
  const [row] = await sql.query<{ manifestId: number; digest: Digest }>(
    `delete from tags t using manifests m
     where t.image_id = $1 and t.name = $2 and m.id = t.manifest_id
     returning t.manifest_id as "manifestId", m.digest`,
    [imageId, tag],
  );
  if (!row) return null;
  await noteUntagged(sql, [row.manifestId]);
  await sql.query('update manifests set discarded_at = now() where id = $1 and untagged_at is not null', [
    row.manifestId,
  ]);
  return row.digest;
}

/**
 * Removes a manifest with its tags. Blobs that nothing else in the image names begin their grace period now, referrers of
 * it and parts of it without a tag theirs. Returns the tags; null: there is no such manifest.
 */
export async function deleteManifest(
  sql: SqlExecutor,
  imageId: number,
  address: string,
): Promise<{ digest: Digest; tags: string[] } | null> {
  const [found] = await sql.query<{ id: number; digest: Digest; sha512: string | null; tags: string[] }>(
    `select m.id, m.digest, m.sha512,
       array(select t.name::text from tags t where t.manifest_id = m.id order by t.name) as tags
     from manifests m where m.image_id = $1 and (m.digest = $2 or m.sha512 = $2)`,
    [imageId, address],
  );
  if (!found) return null;
  const blobs = await sql.query<{ digest: Digest }>(
    'select distinct digest from manifest_blobs where manifest_id = $1 and digest is not null',
    [found.id],
  );
  const children = await sql.query<{ digest: Digest }>(
    'select distinct digest from manifest_children where manifest_id = $1',
    [found.id],
  );
  await sql.query('delete from manifests where id = $1', [found.id]);
  await sql.query(
    `update manifests m set discarded_at = now()
     where m.image_id = $1 and m.digest = any($2::text[]) and m.untagged_at is not null`,
    [imageId, children.map((child) => child.digest)],
  );
  await sql.query(
    `update image_blobs l set is_named = false, touched_at = now()
     where l.image_id = $1 and l.digest = any($2::text[]) and not exists (
       select from manifest_blobs mb join manifests m on m.id = mb.manifest_id
       where mb.digest = l.digest and m.image_id = l.image_id
     )`,
    [imageId, blobs.map((blob) => blob.digest)],
  );
  await sql.query(
    `update manifests set orphaned_at = now()
     where image_id = $1 and subject = any($2::text[]) and orphaned_at is null`,
    [imageId, [found.digest, found.sha512].filter((one) => one !== null)],
  );
  return { digest: found.digest, tags: found.tags };
}
