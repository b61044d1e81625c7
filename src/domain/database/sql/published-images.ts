import { NotFoundError } from '../../errors.ts';
import type { Principal } from '../../identity/principal.ts';
import type { BuildState, ImageBuild } from '../../images/image-build.ts';
import type { PublishedImage, PublishedName, PublishedVersion } from '../../images/published-image.ts';
import { visibilityParameters, visibleProject } from '../../images/visibility.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { type IdRange, idPage, idRangeParameters } from './id-range.ts';
import { BUILD_COLUMNS } from './image-build-rows.ts';

const IMAGE_COLUMNS = `
  i.id, i.project_id as "projectId", p.name as "projectName", i.repository, i.name, i.path,
  i.created_by_id as "createdById", i.created_at as "createdAt"`;
const IMAGE_TABLES = 'published_images i join projects p on p.id = i.project_id';

export type NewPublishedImage = Pick<
  PublishedImage,
  'projectId' | 'repository' | 'name' | 'path' | 'createdById'
>;

/** null: the name or the path is taken. */
export async function insertPublishedImage(
  sql: SqlExecutor,
  image: NewPublishedImage,
): Promise<number | null> {
  const [row] = await sql.query<{ id: number }>(
    `insert into published_images (project_id, repository, name, path, created_by_id) values ($1, $2, $3, $4, $5)
     on conflict do nothing returning id`,
    [image.projectId, image.repository, image.name, image.path, image.createdById],
  );
  return row?.id ?? null;
}

export async function findPublishedImageRow(
  sql: SqlExecutor,
  { projectName, repository, name }: PublishedName,
): Promise<PublishedImage | null> {
  const [row] = await sql.query<PublishedImage>(
    `select ${IMAGE_COLUMNS} from ${IMAGE_TABLES} where p.name = $1 and i.repository = $2 and i.name = $3`,
    [projectName, repository, name],
  );
  return row ?? null;
}

/** With `share` it cannot be deleted until the transaction ends; with `delete` nobody else can add builds to it. */
export async function lockPublishedImage(
  sql: SqlExecutor,
  id: number,
  purpose: 'share' | 'delete',
): Promise<PublishedImage> {
  const [row] = await sql.query<PublishedImage>(
    `select ${IMAGE_COLUMNS} from ${IMAGE_TABLES} where i.id = $1
     for ${purpose === 'share' ? 'key share' : 'update'} of i`,
    [id],
  );
  if (!row) throw new NotFoundError(`There is no published image ${id}`);
  return row;
}

/** Those of the given images that the principal may see. */
export async function findVisiblePublishedImages(
  sql: SqlExecutor,
  principal: Principal,
  ids: readonly number[],
): Promise<PublishedImage[]> {
  return await sql.query<PublishedImage>(
    `select ${IMAGE_COLUMNS} from ${IMAGE_TABLES}
     where i.id = any($3::bigint[]) and ${visibleProject('i.project_id', '$1', '$2')}`,
    [...visibilityParameters(principal), ids],
  );
}

/** What is null or absent does not restrict. */
export interface PublishedImageFilter {
  project?: string | null | undefined;
  repository?: string | null | undefined;
  name?: string | null | undefined;
}

/** Those that the principal may see, oldest first. */
export async function listPublishedImageRows(
  sql: SqlExecutor,
  principal: Principal,
  filter: PublishedImageFilter,
  range: IdRange,
): Promise<PublishedImage[]> {
  return await sql.query<PublishedImage>(
    `select ${IMAGE_COLUMNS} from ${IMAGE_TABLES} where ${IMAGE_CONDITIONS}
       and ${idPage('i.id', 6, { order: 'asc', inverted: range.inverted })}`,
    [...imageParameters(principal, filter), ...idRangeParameters(range)],
  );
}

export async function countPublishedImageRows(
  sql: SqlExecutor,
  principal: Principal,
  filter: PublishedImageFilter,
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from ${IMAGE_TABLES} where ${IMAGE_CONDITIONS}`,
    imageParameters(principal, filter),
  );
  return row!.count;
}

const IMAGE_CONDITIONS = `${visibleProject('i.project_id', '$1', '$2')}
  and ($3::text is null or p.name = $3) and ($4::text is null or i.repository = $4)
  and ($5::text is null or i.name = $5)`;

function imageParameters(
  principal: Principal,
  { project, repository, name }: PublishedImageFilter,
): unknown[] {
  return [...visibilityParameters(principal), project ?? null, repository ?? null, name ?? null];
}

/** Finds or makes the version and takes its row lock: nobody else publishes it until the transaction ends. */
export async function ensureVersion(sql: SqlExecutor, imageId: number, name: string): Promise<number> {
  await sql.query('insert into published_versions (image_id, name) values ($1, $2) on conflict do nothing', [
    imageId,
    name,
  ]);
  const [row] = await sql.query<{ id: number }>(
    'select id from published_versions where image_id = $1 and name = $2 for no key update',
    [imageId, name],
  );
  return row!.id;
}

export interface VersionFilter {
  /** Of the newest build. */
  states?: readonly BuildState[] | null | undefined;
  name?: string | null | undefined;
}

/** Versions of an image with their newest builds, oldest first. */
export async function listVersionRows(
  sql: SqlExecutor,
  imageId: number,
  filter: VersionFilter,
  range: IdRange,
): Promise<PublishedVersion[]> {
  const rows = await sql.query<VersionRow>(
    `select v.id as "vId", ${BUILD_COLUMNS} from ${VERSION_TABLES} where ${VERSION_CONDITIONS}
       and ${idPage('v.id', 4, { order: 'asc', inverted: range.inverted })}`,
    [...versionParameters(imageId, filter), ...idRangeParameters(range)],
  );
  return rows.map(versionOf);
}

export async function countVersionRows(
  sql: SqlExecutor,
  imageId: number,
  filter: VersionFilter,
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from ${VERSION_TABLES} where ${VERSION_CONDITIONS}`,
    versionParameters(imageId, filter),
  );
  return row!.count;
}

/** Of each image the version that was published last; images without any are left out. */
export async function findLastVersionRows(
  sql: SqlExecutor,
  imageIds: readonly number[],
): Promise<PublishedVersion[]> {
  const rows = await sql.query<VersionRow>(
    `select distinct on (v.image_id) v.id as "vId", ${BUILD_COLUMNS} from ${VERSION_TABLES}
     where v.image_id = any($1::bigint[]) order by v.image_id, b.id desc`,
    [imageIds],
  );
  return rows.map(versionOf);
}

export async function findVersionRowsById(
  sql: SqlExecutor,
  ids: readonly number[],
): Promise<PublishedVersion[]> {
  const rows = await sql.query<VersionRow>(
    `select v.id as "vId", ${BUILD_COLUMNS} from ${VERSION_TABLES} where v.id = any($1::bigint[])`,
    [ids],
  );
  return rows.map(versionOf);
}

const VERSION_TABLES = `published_versions v join published_images i on i.id = v.image_id
  join lateral (
    select * from image_builds newest where newest.version_id = v.id order by newest.id desc limit 1
  ) b on true`;

const VERSION_CONDITIONS = `v.image_id = $1 and ($2::text[] is null or b.state = any($2))
  and ($3::text is null or v.name = $3)`;

function versionParameters(imageId: number, { states, name }: VersionFilter): unknown[] {
  return [imageId, states ?? null, name ?? null];
}

type VersionRow = ImageBuild & { vId: number };

function versionOf({ vId, ...build }: VersionRow): PublishedVersion {
  return { id: vId, imageId: build.imageId, name: build.tag, publishedAt: build.createdAt, build };
}
