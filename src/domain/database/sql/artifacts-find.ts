import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

export interface ArtifactRow {
  key: string;
  url: string;
  digest: Digest;
  size: number;
  crc32: number;
  /** Hex digests by algorithm. */
  digests: Record<string, string>;
  /** Results of inspections by their name. */
  metadata: Record<string, unknown>;
}

/** Rows of the keys that are there; notes (not more often than hourly) that they were used. */
export async function findArtifacts(sql: SqlExecutor, keys: readonly string[]): Promise<ArtifactRow[]> {
  const rows = await sql.query<ArtifactRow & { stale: boolean }>(
    `select a.key, a.url, a.digest, b.size, b.crc32, a.digests, a.metadata,
       a.last_used_at < now() - interval '1 hour' as stale
     from artifacts a join blobs b using (digest)
     where a.key = any ($1::text[])`,
    [keys],
  );
  const stale = rows.filter((row) => row.stale).map((row) => row.key);
  if (stale.length > 0) {
    await sql.query('update artifacts set last_used_at = now() where key = any ($1::text[])', [
      stale.toSorted(),
    ]);
  }
  return rows;
}
