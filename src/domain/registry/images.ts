import { deleteManifest, recordImageEvent } from '../database/sql/registry-manifests.ts';
import { type RegistryPrincipal, requireRegistryAccess, unknownName } from './access.ts';
import type { ImageName } from './image-name.ts';
import type { Registry } from './registry.ts';

/** An image with all its tags and manifests. Its blobs are let go when their grace period is over. */
export async function deleteImage(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
): Promise<{ manifests: number }> {
  const { imageId } = await requireRegistryAccess(registry, principal, image, 'delete');
  if (imageId === null) throw unknownName(image);
  const { userId } = principal;
  return await registry.database.transaction(async ({ sql }) => {
    const data = { path: image.path };
    await recordImageEvent(sql, { imageId, type: 'image-deleted', data, userId });
    const rows = await sql.query<{ digest: string }>('select digest from manifests where image_id = $1', [
      imageId,
    ]);
    if (rows.length === 0) throw unknownName(image);
    for (const { digest } of rows) await deleteManifest(sql, imageId, digest);
    return { manifests: rows.length };
  });
}
