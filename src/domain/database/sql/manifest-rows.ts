import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { type Reader, readable } from './readable-repositories.ts';
import { inRange, ordered, rangeParameters, type TextRange } from './text-range.ts';

export interface Manifest {
  id: number;
  imageId: number;
  digest: Digest;
  sha512: string | null;
  mediaType: string;
  artifactType: string | null;
  annotations: Record<string, string> | null;
  subject: string | null;
  /** Bytes of the manifest itself, and of everything that it names. */
  size: number;
  imageSize: number;
  os: string | null;
  architecture: string | null;
  variant: string | null;
  pushedById: number | null;
  pushedAt: Date;
  lastPulledAt: Date | null;
  untaggedAt: Date | null;
}

const COLUMNS = `
  m.id, m.image_id as "imageId", m.digest, m.sha512, m.media_type as "mediaType", m.artifact_type as "artifactType",
  m.annotations, m.subject, m.size, m.image_size as "imageSize", m.os, m.architecture, m.variant,
  m.pushed_by_id as "pushedById", m.pushed_at as "pushedAt", m.last_pulled_at as "lastPulledAt",
  m.untagged_at as "untaggedAt"`;

const TABLES = `manifests m join images i on i.id = m.image_id
  join repositories r on r.id = i.repository_id join projects p on p.id = r.project_id`;

/** What is null does not restrict. */
export interface ManifestFilter {
  imageId: number | null;
  mediaType: string | null;
  artifactType: string | null;
  os: string | null;
  architecture: string | null;
  isTagged: boolean | null;
  /** Digest in the store of a config or layer that it names. */
  blob: string | null;
  /** One of these rows of `components` is in an SBOM that is attached to it. */
  components: readonly number[] | null;
}

const CONDITIONS = `${readable(1)}
  and ($3::bigint is null or m.image_id = $3)
  and ($4::text is null or m.media_type = $4)
  and ($5::text is null or m.artifact_type = $5)
  and ($6::text is null or m.os = $6)
  and ($7::text is null or m.architecture = $7)
  and ($8::boolean is null or (m.untagged_at is null) = $8)
  and ($9::text is null or m.id in (select mb.manifest_id from manifest_blobs mb where mb.digest = $9))
  and ($10::bigint[] is null or exists (
    select from manifests sbom join image_components ic on ic.sbom_id = sbom.id
    where sbom.image_id = m.image_id and sbom.subject in (m.digest, m.sha512) and ic.component_id = any($10)))`;

function parametersOf(reader: Reader, filter: ManifestFilter): unknown[] {
  const { imageId, mediaType, artifactType, os, architecture, isTagged, blob, components } = filter;
  return [
    reader.userId,
    reader.readsAll,
    imageId,
    mediaType,
    artifactType,
    os,
    architecture,
    isTagged,
    blob,
    components,
  ];
}

/** Newest first. */
export async function listManifestRows(
  sql: SqlExecutor,
  reader: Reader,
  filter: ManifestFilter,
  range: { olderThan: number | null; newerThan: number | null; inverted: boolean; limit: number },
): Promise<Manifest[]> {
  return await sql.query<Manifest>(
    `select ${COLUMNS} from ${TABLES}
     where ${CONDITIONS} and ($11::bigint is null or m.id < $11) and ($12::bigint is null or m.id > $12)
     order by m.id ${range.inverted ? 'asc' : 'desc'} limit $13`,
    [...parametersOf(reader, filter), range.olderThan, range.newerThan, range.limit],
  );
}

export async function countManifestRows(
  sql: SqlExecutor,
  reader: Reader,
  filter: ManifestFilter,
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from ${TABLES} where ${CONDITIONS}`,
    parametersOf(reader, filter),
  );
  return row!.count;
}

/** Those of the given manifests that the reader may see. */
export async function findReadableManifests(
  sql: SqlExecutor,
  reader: Reader,
  ids: readonly number[],
): Promise<Manifest[]> {
  return await sql.query<Manifest>(
    `select ${COLUMNS} from ${TABLES} where ${readable(1)} and m.id = any($3::bigint[])`,
    [reader.userId, reader.readsAll, ids],
  );
}

/** By address or by tag. */
export async function findManifestRow(
  sql: SqlExecutor,
  imageId: number,
  reference: { address: string } | { tag: string },
): Promise<Manifest | null> {
  const [row] =
    'tag' in reference
      ? await sql.query<Manifest>(
          `select ${COLUMNS} from tags t join manifests m on m.id = t.manifest_id
           where t.image_id = $1 and t.name = $2`,
          [imageId, reference.tag],
        )
      : await sql.query<Manifest>(
          `select ${COLUMNS} from manifests m where m.image_id = $1 and (m.digest = $2 or m.sha512 = $2)`,
          [imageId, reference.address],
        );
  return row ?? null;
}

/** Manifests of the image with this one as subject, under either of its names, by digest. */
export async function listReferrerRows(
  sql: SqlExecutor,
  manifest: Pick<Manifest, 'imageId' | 'digest' | 'sha512'>,
  artifactType: string | null,
  range: TextRange,
): Promise<Manifest[]> {
  return await sql.query<Manifest>(
    `select ${COLUMNS} from manifests m
     where m.image_id = $1 and m.subject = any($2::text[]) and ($3::text is null or m.artifact_type = $3)
       and ${inRange('m.digest', 4)} ${ordered('m.digest', range)} limit $6`,
    [manifest.imageId, addressesOf(manifest), artifactType, ...rangeParameters(range)],
  );
}

export function addressesOf({ digest, sha512 }: Pick<Manifest, 'digest' | 'sha512'>): string[] {
  return sha512 === null ? [digest] : [digest, sha512];
}

export interface ManifestBlob {
  manifestId: number;
  role: 'config' | 'layer';
  /** As the manifest gives it. */
  address: string;
  /** null: it is not here. */
  digest: Digest | null;
  mediaType: string;
  size: number;
}

export async function readBlobsOfManifests(
  sql: SqlExecutor,
  manifestIds: readonly number[],
): Promise<ManifestBlob[]> {
  return await sql.query<ManifestBlob>(
    `select manifest_id as "manifestId", role, address, digest, media_type as "mediaType", size
     from manifest_blobs where manifest_id = any($1::bigint[]) order by manifest_id, position`,
    [manifestIds],
  );
}

export interface ManifestChild {
  manifestId: number;
  /** null: it was deleted. */
  childId: number | null;
  address: string;
  mediaType: string;
  size: number;
  os: string | null;
  architecture: string | null;
  variant: string | null;
}

/** What an index does not say of a platform, the config of the image does. */
export async function readChildrenOfManifests(
  sql: SqlExecutor,
  manifestIds: readonly number[],
): Promise<ManifestChild[]> {
  return await sql.query<ManifestChild>(
    `select mc.manifest_id as "manifestId", child.id as "childId", mc.address, mc.media_type as "mediaType", mc.size,
       coalesce(mc.os, child.os) as os, coalesce(mc.architecture, child.architecture) as architecture,
       coalesce(mc.variant, child.variant) as variant
     from manifest_children mc
     join manifests m on m.id = mc.manifest_id
     left join manifests child on child.image_id = m.image_id and child.digest = mc.digest
     where mc.manifest_id = any($1::bigint[]) order by mc.manifest_id, mc.position`,
    [manifestIds],
  );
}
