import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Row of `bundles`. */
export interface BundleFacts {
  manifestDigest: Digest;
  tarDigest: Digest;
  tarSize: number;
  archiveDigest: Digest;
  archiveSize: number;
  /** See src/domain/bundles/reproducible-part.ts. */
  reproducibleDigest: Digest | null;
  writerVersion: string;
  sourceMemberDigest: Digest;
  entries: number;
}

export interface BundleRow extends BundleFacts {
  damagedAt: Date | null;
}

export async function findBundle(sql: SqlExecutor, manifestDigest: Digest): Promise<BundleRow | null> {
  const rows = await sql.query<BundleRow>(
    `select manifest_digest as "manifestDigest", tar_digest as "tarDigest", tar_size as "tarSize",
       archive_digest as "archiveDigest", archive_size as "archiveSize", writer_version as "writerVersion",
       reproducible_digest as "reproducibleDigest", source_member_digest as "sourceMemberDigest", entries, damaged_at as "damagedAt"
     from bundles where manifest_digest = $1`,
    [manifestDigest],
  );
  return rows[0] ?? null;
}

/** The same, for a request that is about to name it: the garbage collection leaves it alone meanwhile. */
export async function reuseBundle(sql: SqlExecutor, manifestDigest: Digest): Promise<BundleRow | null> {
  await sql.query('update bundles set last_used_at = now() where manifest_digest = $1', [manifestDigest]);
  return await findBundle(sql, manifestDigest);
}
