import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Those of the given digests that have no row in `blobs`: nothing can name them. */
export async function unnamedBlobs(sql: SqlExecutor, digests: readonly Digest[]): Promise<Digest[]> {
  const rows = await sql.query<{ digest: Digest }>(
    'select digest from unnest($1::text[]) as one (digest) where not exists (select from blobs b where b.digest = one.digest)',
    [digests],
  );
  return rows.map((row) => row.digest);
}
