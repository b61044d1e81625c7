import type { Digest } from '../../storage/blob-store.ts';
import type { SqlExecutor } from '../sql-executor.ts';

export interface SourceUpload {
  id: number;
  userId: number | null;
  fileName: string;
  digest: Digest;
  size: number;
  createdAt: Date;
}

/** Names a blob, whose row is there already, as an uploaded source. */
export async function insertUpload(
  sql: SqlExecutor,
  upload: Omit<SourceUpload, 'id' | 'createdAt'>,
): Promise<SourceUpload> {
  const [row] = await sql.query<SourceUpload>(
    `insert into uploads (user_id, file_name, digest, size) values ($1, $2, $3, $4)
     returning id, user_id as "userId", file_name as "fileName", digest, size, created_at as "createdAt"`,
    [upload.userId, upload.fileName, upload.digest, upload.size],
  );
  return row!;
}
