import { emptyImage } from '../database/sql/image-packages.ts';
import { deleteManifest, recordImageEvent } from '../database/sql/registry-manifests.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
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
    const manifests = await removeContent(sql, imageId);
    if (manifests === 0) throw unknownName(image);
    return { manifests };
  });
}

/** All manifests with their tags, and what was counted of them; how many there were. The caller holds the image. */
export async function removeContent(sql: SqlExecutor, imageId: number): Promise<number> {
  const rows = await sql.query<{ digest: string }>('select digest from manifests where image_id = $1', [
    imageId,
  ]);
  for (const { digest } of rows) await deleteManifest(sql, imageId, digest);
  await emptyImage(sql, imageId);
  return rows.length;
}

export async function pathOf(sql: SqlExecutor, imageId: number): Promise<string> {
  const [row] = await sql.query<{ path: string }>('select path from images where id = $1', [imageId]);
  return row!.path;
}
