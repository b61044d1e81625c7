import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** The bytes of an uploaded archive; null when it is not there any more. */
export async function findUpload(sql: SqlExecutor, id: number): Promise<Digest | null> {
  const [upload] = await sql.query<{ digest: Digest }>('select digest from uploads where id = $1', [id]);
  return upload?.digest ?? null;
}
