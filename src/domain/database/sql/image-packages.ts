import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** An image as bk-repo sees it: a package, whose versions are its tags. One without tags is none. */
export interface ImagePackage {
  imageId: number;
  name: string;
  description: string;
  downloads: number;
  /** The tag that was pushed last. */
  latest: string;
  versions: number;
  createdBy: string | null;
  createdAt: Date;
  modifiedBy: string | null;
  modifiedAt: Date;
}

/**
 * Who pushed it first, and when: as the image's row says, unless the image was deleted since; then its oldest tag does.
 */
const PACKAGE_COLUMNS = `
  select i.id as "imageId", i.name, i.description, i.downloads, newest.name as latest,
    (select count(*) from tags t where t.image_id = i.id) as versions,
    creator.name as "createdBy",
    case when i.emptied_at is null then i.created_at else oldest.created_at end as "createdAt",
    modifier.name as "modifiedBy", newest.modified_at as "modifiedAt"`;

/** Behind rows of images with the name `i`. */
const PACKAGE_JOINS = `
  join lateral (
    select t.name, t.modified_at, t.modified_by_id from tags t
    where t.image_id = i.id order by t.modified_at desc, t.name limit 1
  ) newest on true
  left join lateral (
    select t.created_at, t.created_by_id from tags t
    where t.image_id = i.id and i.emptied_at is not null order by t.created_at limit 1
  ) oldest on true
  left join users creator
    on creator.id = case when i.emptied_at is null then i.created_by_id else oldest.created_by_id end
  left join users modifier on modifier.id = newest.modified_by_id`;

const PACKAGE_CONDITIONS = `i.repository_id = $1 and ($2::text is null or i.name like $2)
  and exists (select from tags t where t.image_id = i.id)`;

export interface OffsetPage {
  offset: number;
  limit: number;
}

/** By code point. `name` is a pattern of LIKE; null: all. */
export async function listImagePackages(
  sql: SqlExecutor,
  repositoryId: number,
  { name, offset, limit }: OffsetPage & { name: string | null },
): Promise<ImagePackage[]> {
  return await sql.query<ImagePackage>(
    `${PACKAGE_COLUMNS}
     from (select i.* from images i where ${PACKAGE_CONDITIONS} order by i.name limit $3 offset $4) i
     ${PACKAGE_JOINS} order by i.name`,
    [repositoryId, name, limit, offset],
  );
}

export async function countImagePackages(
  sql: SqlExecutor,
  repositoryId: number,
  name: string | null,
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from images i where ${PACKAGE_CONDITIONS}`,
    [repositoryId, name],
  );
  return row!.count;
}

/** null: there is no such image, or it has no tag. */
export async function findImagePackage(
  sql: SqlExecutor,
  repositoryId: number,
  name: string,
): Promise<ImagePackage | null> {
  const [row] = await sql.query<ImagePackage>(
    `${PACKAGE_COLUMNS} from images i ${PACKAGE_JOINS} where i.repository_id = $1 and i.name = $2`,
    [repositoryId, name],
  );
  return row ?? null;
}

/** A tag as bk-repo sees it. */
export interface ImageVersion {
  imageId: number;
  /** The image's. */
  package: string;
  /** That of the image in the registry: project/repository/name. */
  path: string;
  name: string;
  /** Promotions in their order. */
  stages: string[];
  downloads: number;
  lastPulledAt: Date | null;
  /** Config and layers; of an index, those of its children that are here, each once. */
  size: number;
  manifestId: number;
  digest: Digest;
  mediaType: string;
  createdBy: string | null;
  createdAt: Date;
  modifiedBy: string | null;
  modifiedAt: Date;
}

/** Children of an index come and go after it was pushed. */
const VERSION_COLUMNS = `
  select t.image_id as "imageId", i.name as package, i.path, t.name, t.stages, t.downloads,
    t.last_pulled_at as "lastPulledAt",
    case when exists (select from manifest_children mc where mc.manifest_id = m.id) then (
      with recursive part (id) as (
        select m.id
        union
        select child.id from part
        join manifest_children mc on mc.manifest_id = part.id
        join manifests child on child.image_id = m.image_id and child.digest = mc.digest
      )
      select coalesce(sum(one.size), 0)::bigint from (
        select distinct on (mb.address) mb.size from part join manifest_blobs mb on mb.manifest_id = part.id
      ) one
    ) else m.image_size end as size,
    m.id as "manifestId", m.digest, m.media_type as "mediaType",
    creator.name as "createdBy", t.created_at as "createdAt",
    modifier.name as "modifiedBy", t.modified_at as "modifiedAt"`;

/** Behind rows of tags with the name `t`. */
const VERSION_JOINS = `
  join images i on i.id = t.image_id
  join manifests m on m.id = t.manifest_id
  left join users creator on creator.id = t.created_by_id
  left join users modifier on modifier.id = t.modified_by_id`;

/** What is null does not restrict. */
export interface VersionFilter {
  /** A part of the tag. */
  name: string | null;
  /** Tags that have been promoted to one of these. */
  stages: readonly string[] | null;
}

const VERSION_CONDITIONS = `t.image_id = $1 and ($2::text is null or position($2 in t.name) > 0)
  and ($3::text[] is null or t.stages && $3)`;

/** By code point. */
export async function listImageVersions(
  sql: SqlExecutor,
  imageId: number,
  { name, stages }: VersionFilter,
  { offset, limit }: OffsetPage,
): Promise<ImageVersion[]> {
  return await sql.query<ImageVersion>(
    `${VERSION_COLUMNS}
     from (select t.* from tags t where ${VERSION_CONDITIONS} order by t.name limit $4 offset $5) t
     ${VERSION_JOINS} order by t.name`,
    [imageId, name, stages, limit, offset],
  );
}

export async function countImageVersions(
  sql: SqlExecutor,
  imageId: number,
  { name, stages }: VersionFilter,
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from tags t where ${VERSION_CONDITIONS}`,
    [imageId, name, stages],
  );
  return row!.count;
}

/** `tag` null: `latest` if there is one, else the one that was pushed last (bkrepo-docker.md 1.8). */
export async function findImageVersion(
  sql: SqlExecutor,
  imageId: number,
  tag: string | null,
): Promise<ImageVersion | null> {
  const [row] = await sql.query<ImageVersion>(
    `${VERSION_COLUMNS}
     from (
       select t.* from tags t where t.image_id = $1 and ($2::text is null or t.name = $2)
       order by t.name = 'latest' desc, t.modified_at desc, t.name limit 1
     ) t ${VERSION_JOINS}`,
    [imageId, tag],
  );
  return row ?? null;
}

export interface ManifestPart {
  role: 'config' | 'layer';
  /** As the manifest gives it. */
  address: string;
  /** In the store; null: it is not here. */
  digest: Digest | null;
  mediaType: string;
  size: number;
}

/** Config and layers in the order of the manifest. */
export async function listManifestParts(sql: SqlExecutor, manifestId: number): Promise<ManifestPart[]> {
  return await sql.query<ManifestPart>(
    `select role, address, digest, media_type as "mediaType", size from manifest_blobs
     where manifest_id = $1 order by position`,
    [manifestId],
  );
}

export interface PlatformManifest {
  id: number;
  os: string | null;
  architecture: string | null;
  variant: string | null;
}

/**
 * The manifest itself, or if it is an index its children that are here, in its order: what the index says of their
 * platforms, else what their configs do.
 */
export async function listPlatformManifests(
  sql: SqlExecutor,
  manifestId: number,
): Promise<PlatformManifest[]> {
  const children = await sql.query<PlatformManifest>(
    `select child.id, coalesce(mc.os, child.os) as os, coalesce(mc.architecture, child.architecture) as architecture,
       coalesce(mc.variant, child.variant) as variant
     from manifest_children mc
     join manifests m on m.id = mc.manifest_id
     join manifests child on child.image_id = m.image_id and child.digest = mc.digest
     where mc.manifest_id = $1 order by mc.position`,
    [manifestId],
  );
  if (children.length > 0) return children;
  return await sql.query<PlatformManifest>(
    'select id, os, architecture, variant from manifests where id = $1',
    [manifestId],
  );
}

/** A config or layer that a manifest of the image names (bkrepo-docker.md 1.3). */
export async function findNamedBlob(
  sql: SqlExecutor,
  imageId: number,
  address: string,
): Promise<{ digest: Digest; size: number } | null> {
  const [row] = await sql.query<{ digest: Digest; size: number }>(
    `select b.digest, b.size from blobs b
     where b.digest = coalesce((select a.digest from blob_addresses a where a.address = $2), $2) and exists (
       select from manifest_blobs mb join manifests m on m.id = mb.manifest_id
       where mb.digest = b.digest and m.image_id = $1
     )`,
    [imageId, address],
  );
  return row ?? null;
}

/** What was counted and said of an image that is deleted: its next push begins anew. */
export async function emptyImage(sql: SqlExecutor, imageId: number): Promise<void> {
  await sql.query('delete from tag_pulls where image_id = $1', [imageId]);
  await sql.query(
    `update images set downloads = 0, last_pulled_at = null, description = '', emptied_at = clock_timestamp()
     where id = $1`,
    [imageId],
  );
}
