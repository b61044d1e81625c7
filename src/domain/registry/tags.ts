import { findManifestRow } from '../database/sql/manifest-rows.ts';
import { lockImage, moveTags, recordImageEvent } from '../database/sql/registry-manifests.ts';
import { findTag, renameTagRow, type Tag } from '../database/sql/tag-rows.ts';
import { ConflictError, InvalidInputError } from '../errors.ts';
import { type RegistryPrincipal, requireRegistryAccess, unknownName } from './access.ts';
import { RegistryError } from './errors.ts';
import type { ImageName } from './image-name.ts';
import { type Address, isTag } from './reference.ts';
import type { Registry } from './registry.ts';

/** Puts a tag on a manifest that is there; if it is on another one it moves. Throws `manifest-unknown`. */
export async function tagManifest(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  { source, tag }: { source: { tag: string } | { address: Address }; tag: string },
): Promise<Tag> {
  requireTag(tag);
  const imageId = await requireChangeable(registry, principal, image);
  const { userId } = principal;
  return await registry.database.transaction(async ({ sql }) => {
    await lockImage(sql, imageId);
    const manifest = await findManifestRow(sql, imageId, source);
    if (manifest === null) throw unknownManifest(source);
    const { id: manifestId, digest } = manifest;
    await recordImageEvent(sql, { imageId, type: 'tagged', data: { tag, digest }, userId });
    await moveTags(sql, { imageId, manifestId, tags: [tag], userId });
    return (await findTag(sql, imageId, tag))!;
  });
}

/** Gives a tag another name; its pulls and promotions go along. Throws ConflictError where the new name is taken. */
export async function renameTag(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  { from, to }: { from: string; to: string },
): Promise<Tag> {
  requireTag(to);
  const imageId = await requireChangeable(registry, principal, image);
  const { userId } = principal;
  return await registry.database.transaction(async ({ sql }) => {
    await recordImageEvent(sql, { imageId, type: 'tag-renamed', data: { from, to }, userId });
    if ((await findTag(sql, imageId, from)) === null) throw unknownManifest({ tag: from });
    if (await findTag(sql, imageId, to)) throw new ConflictError(`There is a tag "${to}" already`);
    await renameTagRow(sql, { imageId, from, to, userId });
    return (await findTag(sql, imageId, to))!;
  });
}

/** The image's id, if the principal may push to it. */
export async function requireChangeable(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
): Promise<number> {
  const { imageId } = await requireRegistryAccess(registry, principal, image, 'push');
  if (imageId === null) throw unknownName(image);
  return imageId;
}

function requireTag(tag: string): void {
  if (!isTag(tag)) throw new InvalidInputError(`"${tag.slice(0, 130)}" is not a valid tag`);
}

export function unknownManifest(reference: { tag: string } | { address: string }): RegistryError {
  return new RegistryError('manifest-unknown', 'there is no such manifest here', { details: reference });
}
