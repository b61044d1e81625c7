import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** From here on the bundle is not served any more. */
export async function markBundleDamaged(sql: SqlExecutor, manifestDigest: Digest): Promise<void> {
  await sql.query('update bundles set damaged_at = now() where manifest_digest = $1 and damaged_at is null', [
    manifestDigest,
  ]);
}
