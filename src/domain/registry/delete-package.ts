import { hasManifests } from '../database/sql/image-rows.ts';
import { deleteTag, recordImageEvent } from '../database/sql/registry-manifests.ts';
import { findTag } from '../database/sql/tag-rows.ts';
import type { RegistryPrincipal } from './access.ts';
import { findImageId } from './image-packages.ts';
import { pathOf, removeContent } from './images.ts';
import type { RepositoryName } from './management.ts';
import type { Registry } from './registry.ts';

/** Deletes an image with all its tags and manifests. False: there was nothing to delete (bkrepo-docker.md 1.6). */
export async function deletePackage(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  image: string,
): Promise<boolean> {
  const imageId = await findImageId(registry, principal, repository, image, 'delete');
  if (imageId === null) return false;
  const { userId } = principal;
  if (!(await hasManifests(registry.database.sql, imageId))) return false;
  return await registry.database.transaction(async ({ sql }) => {
    // First, since it locks the image: a push is before it or behind it.
    const data = { path: await pathOf(sql, imageId) };
    await recordImageEvent(sql, { imageId, type: 'image-deleted', data, userId });
    return (await removeContent(sql, imageId)) > 0;
  });
}

/** Deletes one tag, and with the last one the image. False: there is no such tag (bkrepo-docker.md 1.7). */
export async function deleteVersion(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  image: string,
  tag: string,
): Promise<boolean> {
  const imageId = await findImageId(registry, principal, repository, image, 'delete');
  if (imageId === null) return false;
  const { userId } = principal;
  if ((await findTag(registry.database.sql, imageId, tag)) === null) return false;
  return await registry.database.transaction(async ({ sql }) => {
    await recordImageEvent(sql, { imageId, type: 'tag-deleted', data: { tag }, userId });
    // Somebody else may have been first: what they recorded is as good.
    const isDeleted = (await deleteTag(sql, imageId, tag)) !== null;
    const [other] = await sql.query('select from tags where image_id = $1 limit 1', [imageId]);
    if (!other) await removeContent(sql, imageId);
    return isDeleted;
  });
}
