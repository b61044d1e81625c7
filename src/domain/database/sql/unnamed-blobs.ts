import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { NO_BACKUP_RUNS } from './running-backups.ts';

/**
 * Those of the given digests that have no row in `blobs`: nothing can name them. None while a backup is being made, whose
 * rows may name them.
 */
export async function unnamedBlobs(sql: SqlExecutor, digests: readonly Digest[]): Promise<Digest[]> {
  const rows = await sql.query<{ digest: Digest }>(
    `select digest from unnest($1::text[]) as one (digest)
     where not exists (select from blobs b where b.digest = one.digest) and ${NO_BACKUP_RUNS}`,
    [digests],
  );
  return rows.map((row) => row.digest);
}
