import type { Database } from '../database.ts';

/**
 * Deletes bundles that no request names and compressed sources that no bundle names, when their last use is so many
 * seconds ago. Returns how many bundles; their blobs are what {@link file://./delete-unreferenced-blobs.ts} looks for.
 */
export async function deleteUnusedBundles(
  database: Pick<Database, 'transaction'>,
  unusedForSeconds: number,
): Promise<number> {
  return await database.transaction(async ({ sql }) => {
    // Whoever names a bundle touches its row first: it waits for us, or we leave the bundle alone.
    const unused = await sql.query<{ digest: string }>(
      `select manifest_digest as digest from bundles b
       where last_used_at < now() - make_interval(secs => $1) and ${IS_UNUSED_BUNDLE}
       order by manifest_digest for update skip locked`,
      [unusedForSeconds],
    );
    const deleted = await sql.query(
      `delete from bundles b where manifest_digest = any ($1::text[]) and ${IS_UNUSED_BUNDLE} returning manifest_digest`,
      [unused.map((row) => row.digest)],
    );
    await sql.query(
      `delete from source_members m
       where listing_digest in (
         select listing_digest from source_members
         where last_used_at < now() - make_interval(secs => $1) for update skip locked
       ) and not exists (select from bundles b where b.source_member_digest = m.digest)`,
      [unusedForSeconds],
    );
    return deleted.length;
  });
}

/** Condition on `bundles b`: no request names it. */
export const IS_UNUSED_BUNDLE =
  'not exists (select from bundle_requests r where r.bundle_digest = b.manifest_digest)';
