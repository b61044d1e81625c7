import { deleteTag, recordImageEvent } from '../database/sql/registry-manifests.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import type { Digest } from '../storage/blob-store.ts';
import type { ImageBuild } from './image-build.ts';

const PREFIX = 'stowage-build-';

/**
 * What a builder pushes to. The version's own tag is put on the image in the transaction that ends the build: so a build
 * that is cancelled, or that another worker has taken over, changes nothing that anybody pulls, however late its push.
 */
export function stagingTag({ id, attempt }: Pick<ImageBuild, 'id' | 'attempt'>): string {
  return `${PREFIX}${id}-${attempt}`;
}

/** Those of all attempts. What was pushed under them is collected, unless another tag names it. */
export async function removeStagingTags(
  sql: SqlExecutor,
  { id, imagePath }: Pick<ImageBuild, 'id' | 'imagePath'>,
): Promise<void> {
  const tags = await sql.query<{ imageId: number; name: string; digest: Digest }>(
    `select t.image_id as "imageId", t.name::text, m.digest
     from tags t join images i on i.id = t.image_id join manifests m on m.id = t.manifest_id
     where i.path = $1 and starts_with(t.name, $2)`,
    [imagePath, `${PREFIX}${id}-`],
  );
  for (const { imageId, name, digest } of tags) {
    const data = { tag: name, digest };
    await recordImageEvent(sql, { imageId, type: 'tag-deleted', data, userId: null });
    await deleteTag(sql, imageId, name);
  }
}
