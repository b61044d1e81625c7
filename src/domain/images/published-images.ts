import type { Settings } from '../config.ts';
import type { Database, Transaction } from '../database/database.ts';
import { admitBuilds } from '../database/sql/admit-builds.ts';
import { discardLog } from '../database/sql/discard-results.ts';
import { ensureImage, ensureRepository } from '../database/sql/ensure-image.ts';
import type { IdRange } from '../database/sql/id-range.ts';
import { lockUnfinishedBuilds } from '../database/sql/image-build-rows.ts';
import {
  countPublishedImageRows,
  countVersionRows,
  findPublishedImageRow,
  findVisiblePublishedImages,
  insertPublishedImage,
  listPublishedImageRows,
  listVersionRows,
  lockPublishedImage,
  type PublishedImageFilter,
  type VersionFilter,
} from '../database/sql/published-images.ts';
import { recordImageEvent } from '../database/sql/registry-manifests.ts';
import { ConflictError, InvalidInputError } from '../errors.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import { Project } from '../identity/project.ts';
import { requireProjectRole } from '../identity/projects.ts';
import { isImageName } from '../registry/image-name.ts';
import { removeContent } from '../registry/images.ts';
import { changeBuildState } from './change-build-state.ts';
import { cancelledBy } from './image-build.ts';
import { requireDeveloper, requirePublishedView } from './permissions.ts';
import {
  canBePublished,
  mappedNames,
  type PublishedImage,
  type PublishedName,
  type PublishedVersion,
  requirePublishedName,
  requireRepositoryOfPath,
} from './published-image.ts';

/** Developers of the project may. Throws ConflictError when there is one, InvalidInputError. */
export async function createPublishedImage(
  database: Database,
  principal: Principal,
  name: PublishedName,
): Promise<PublishedImage> {
  requireScope(principal, 'write');
  requirePublishedName(name.name);
  return await database.transaction(async (tx) => {
    const { image, isNew } = await ensurePublishedImage(tx, principal, name);
    if (!isNew) throw new ConflictError('image with this name already exists.');
    return image;
  });
}

/** Finds or makes the image, for a developer of its project. */
export async function ensurePublishedImage(
  tx: Transaction,
  principal: Principal,
  name: PublishedName,
): Promise<{ image: PublishedImage; isNew: boolean }> {
  const projectId = await requireProjectRole(tx, principal, name.projectName, 'developer');
  const known = await findPublishedImageRow(tx.sql, name);
  if (known) return { image: known, isNew: false };
  requirePublishedName(name.name);
  requireRepositoryOfPath(name.repository);
  const isNew = await insertUnderFreePath(tx, principal, projectId, name);
  return { image: (await findPublishedImageRow(tx.sql, name))!, isNew };
}

/** False: somebody else was first. */
async function insertUnderFreePath(
  tx: Transaction,
  principal: Principal,
  projectId: number,
  { projectName, repository, name }: PublishedName,
): Promise<boolean> {
  const project = await tx.em.findOneOrFail(Project, projectId);
  for (const mapped of mappedNames(name)) {
    const path = `${project.path}/${repository}/${mapped}`;
    if (!isImageName(path)) throw new InvalidInputError(`The path of "${name}" in the registry is too long`);
    const image = { projectId, repository, name, path, createdById: principal.userId };
    if ((await insertPublishedImage(tx.sql, image)) !== null) {
      await ensurePlace(tx, { projectId, repository, path, userId: principal.userId });
      return true;
    }
    if (await findPublishedImageRow(tx.sql, { projectName, repository, name })) return false;
  }
  throw new ConflictError(`There is no free name for "${name}" in the registry`);
}

/** Repository and image in the registry, made on first use; gives the id of the latter. */
export async function ensurePlace(
  { sql }: Pick<Transaction, 'sql'>,
  place: { projectId: number; repository: string; path: string; userId: number | null },
): Promise<number> {
  const { projectId, repository, path, userId } = place;
  const repositoryId = await ensureRepository(sql, { projectId, name: repository, userId });
  const name = path.slice(path.lastIndexOf('/') + 1);
  return await ensureImage(sql, { repositoryId, name, path, userId });
}

/** Those that the principal may see, oldest first. */
export async function listPublishedImages(
  database: Database,
  principal: Principal,
  filter: PublishedImageFilter,
  range: IdRange,
): Promise<PublishedImage[]> {
  requireScope(principal, 'read');
  return await listPublishedImageRows(database.sql, principal, filter, range);
}

export async function countPublishedImages(
  database: Database,
  principal: Principal,
  filter: PublishedImageFilter,
): Promise<number> {
  requireScope(principal, 'read');
  return await countPublishedImageRows(database.sql, principal, filter);
}

/** null: there is none that the principal may see. */
export async function findPublishedImage(
  database: Database,
  principal: Principal,
  name: PublishedName,
): Promise<PublishedImage | null> {
  requireScope(principal, 'read');
  if (!canBePublished(name.name)) return null;
  const image = await findPublishedImageRow(database.sql, name);
  if (!image) return null;
  const [visible] = await findVisiblePublishedImages(database.sql, principal, [image.id]);
  return visible ?? null;
}

/** Versions of an image with their newest builds, oldest first. Throws NotFoundError. */
export async function listPublishedVersions(
  database: Database,
  principal: Principal,
  imageId: number,
  filter: VersionFilter,
  range: IdRange,
): Promise<PublishedVersion[]> {
  await requirePublishedView(database, principal, imageId);
  return await listVersionRows(database.sql, imageId, filter, range);
}

export async function countPublishedVersions(
  database: Database,
  principal: Principal,
  imageId: number,
  filter: VersionFilter,
): Promise<number> {
  await requirePublishedView(database, principal, imageId);
  return await countVersionRows(database.sql, imageId, filter);
}

/**
 * With its versions, builds and logs, and with all that the registry has of it. Builds that wait or run are cancelled and
 * what they made is discarded (fandogh.md 1.6). Throws NotFoundError. Gives what it was.
 */
export async function deletePublishedImage(
  database: Database,
  settings: Settings,
  principal: Principal,
  imageId: number,
): Promise<PublishedImage> {
  requireScope(principal, 'write');
  return await database.transaction(async (tx) => {
    await requirePublishedView(tx, principal, imageId);
    const image = await lockPublishedImage(tx.sql, imageId, 'delete');
    await requireDeveloper(tx, principal, image.projectId);
    for (const build of await lockUnfinishedBuilds(tx.sql, imageId)) {
      await changeBuildState(tx.sql, build, { state: 'cancelled', failure: cancelledBy(principal) });
    }
    await emptyRegistryImage(tx, image, principal.userId);
    await discardBuilds(tx, imageId);
    await admitBuilds(tx.sql, image.projectId, settings.projectBuildConcurrency);
    return image;
  });
}

async function emptyRegistryImage(
  { sql }: Pick<Transaction, 'sql'>,
  { path }: PublishedImage,
  userId: number | null,
): Promise<void> {
  const [image] = await sql.query<{ id: number }>('select id from images where path = $1', [path]);
  if (!image) return;
  await recordImageEvent(sql, { imageId: image.id, type: 'image-deleted', data: { path }, userId });
  await removeContent(sql, image.id);
}

async function discardBuilds({ sql }: Pick<Transaction, 'sql'>, imageId: number): Promise<void> {
  const builds = await sql.query<{ id: number }>(
    `select b.id from image_builds b join published_versions v on v.id = b.version_id where v.image_id = $1`,
    [imageId],
  );
  for (const { id } of builds) await discardLog(sql, 'image-build', id);
  await sql.query('delete from published_images where id = $1', [imageId]);
}
