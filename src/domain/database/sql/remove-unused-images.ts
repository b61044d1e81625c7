import type { Database } from '../database.ts';

const IS_EMPTY = ['manifests', 'image_blobs', 'upload_sessions']
  .map((table) => `not exists (select from ${table} x where x.image_id = i.id)`)
  .join(' and ');

/**
 * Removes images in which nothing has been for so many seconds; returns how many. They are held first and looked at again
 * then: what is put into an image at this very moment would go with it.
 */
export async function removeUnusedImages(
  { transaction }: Pick<Database, 'transaction'>,
  graceSeconds: number,
): Promise<number> {
  return await transaction(async ({ sql }) => {
    const held = await sql.query<{ id: number }>(
      `select i.id from images i where i.modified_at < now() - make_interval(secs => $1) and ${IS_EMPTY}
       for update of i skip locked`,
      [graceSeconds],
    );
    if (held.length === 0) return 0;
    const rows = await sql.query(
      `delete from images i where i.id = any($1::bigint[]) and ${IS_EMPTY} returning i.id`,
      [held.map((image) => image.id)],
    );
    return rows.length;
  });
}
