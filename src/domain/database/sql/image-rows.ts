import type { SqlExecutor } from '../sql-executor.ts';
import { type Reader, readable } from './readable-repositories.ts';
import { inRange, ordered, rangeParameters, type TextRange } from './text-range.ts';

export interface Image {
  id: number;
  repositoryId: number;
  /** Without project and repository; may have slashes. */
  name: string;
  /** project/repository/name: unique, and the order of lists. */
  path: string;
  description: string;
  version: number;
  downloads: number;
  lastPulledAt: Date | null;
  createdById: number | null;
  createdAt: Date;
  modifiedById: number | null;
  modifiedAt: Date;
}

const COLUMNS = `
  i.id, i.repository_id as "repositoryId", i.name, i.path, i.description, i.version, i.downloads,
  i.last_pulled_at as "lastPulledAt", i.created_by_id as "createdById", i.created_at as "createdAt",
  i.modified_by_id as "modifiedById", i.modified_at as "modifiedAt"`;

const TABLES = `images i join repositories r on r.id = i.repository_id join projects p on p.id = r.project_id`;

/** An image without manifests is one that nobody has pushed to yet, or whose last manifest is deleted. */
const IS_KNOWN = 'exists (select from manifests m where m.image_id = i.id)';

/** What is null does not restrict. */
export interface ImageFilter {
  project: string | null;
  repository: string | null;
  repositoryId: number | null;
  /** A part of the path. */
  name: string | null;
  /** Digest in the store of a config or layer that one of its manifests names. */
  blob: string | null;
  /** One of these rows of `components` is in an SBOM that is attached to one of its manifests. */
  components: readonly number[] | null;
}

const CONDITIONS = `${readable(1)} and ${IS_KNOWN}
  and ($3::text is null or p.name = $3)
  and ($4::text is null or r.name = $4)
  and ($5::bigint is null or r.id = $5)
  and ($6::text is null or position(lower($6) in lower(i.path)) > 0)
  and ($7::text is null or i.id in (
    select m.image_id from manifest_blobs mb join manifests m on m.id = mb.manifest_id where mb.digest = $7))
  and ($8::bigint[] is null or i.id in (
    select sbom.image_id from image_components ic join manifests sbom on sbom.id = ic.sbom_id
    where ic.component_id = any($8) and exists (
      select from manifests s
      where s.image_id = sbom.image_id and (s.digest = sbom.subject or s.sha512 = sbom.subject))))`;

function parametersOf(reader: Reader, filter: ImageFilter): unknown[] {
  const { project, repository, repositoryId, name, blob, components } = filter;
  return [reader.userId, reader.readsAll, project, repository, repositoryId, name, blob, components];
}

export async function listImageRows(
  sql: SqlExecutor,
  reader: Reader,
  filter: ImageFilter,
  range: TextRange,
): Promise<Image[]> {
  return await sql.query<Image>(
    `select ${COLUMNS} from ${TABLES}
     where ${CONDITIONS} and ${inRange('i.path', 9)} ${ordered('i.path', range)} limit $11`,
    [...parametersOf(reader, filter), ...rangeParameters(range)],
  );
}

export async function countImageRows(sql: SqlExecutor, reader: Reader, filter: ImageFilter): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from ${TABLES} where ${CONDITIONS}`,
    parametersOf(reader, filter),
  );
  return row!.count;
}

/** Those of the given images that the reader may see, also without manifests. */
export async function findReadableImages(
  sql: SqlExecutor,
  reader: Reader,
  ids: readonly number[],
): Promise<Image[]> {
  return await sql.query<Image>(
    `select ${COLUMNS} from ${TABLES} where ${readable(1)} and i.id = any($3::bigint[])`,
    [reader.userId, reader.readsAll, ids],
  );
}

/** null: there is none, or nobody has pushed to it, or the reader may not see it. */
export async function findImageByPath(sql: SqlExecutor, reader: Reader, path: string): Promise<Image | null> {
  const [row] = await sql.query<Image>(
    `select ${COLUMNS} from ${TABLES} where ${readable(1)} and ${IS_KNOWN} and i.path = $3`,
    [reader.userId, reader.readsAll, path],
  );
  return row ?? null;
}

export async function listImagesOfRepository(
  sql: SqlExecutor,
  repositoryId: number,
): Promise<{ id: number; path: string }[]> {
  return await sql.query('select id, path from images where repository_id = $1 order by id', [repositoryId]);
}

export async function hasManifests(sql: SqlExecutor, imageId: number): Promise<boolean> {
  const rows = await sql.query('select from manifests where image_id = $1 limit 1', [imageId]);
  return rows.length > 0;
}

/** Digest in the store of a blob that goes by this address; the address itself where there is no other. */
export async function storeDigestOf(sql: SqlExecutor, address: string): Promise<string> {
  const [row] = await sql.query<{ digest: string }>('select digest from blob_addresses where address = $1', [
    address,
  ]);
  return row?.digest ?? address;
}
