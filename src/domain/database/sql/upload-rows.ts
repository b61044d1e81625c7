import type { SqlExecutor } from '../sql-executor.ts';
import { inRange, ordered, rangeParameters, type TextRange } from './text-range.ts';

/** An upload that is not complete. */
export interface UploadSession {
  id: string;
  imageId: number;
  userId: number | null;
  /** Bytes received. */
  size: number;
  isReceiving: boolean;
  createdAt: Date;
  activeAt: Date;
}

const COLUMNS = `
  s.id, s.image_id as "imageId", s.user_id as "userId", s.size,
  s.holder is not null and s.held_until > now() as "isReceiving", s.created_at as "createdAt", s.active_at as "activeAt"`;

const ID = 's.id::text collate "C"';

/** `userId` null: those of everybody. */
export async function listUploadRows(
  sql: SqlExecutor,
  { repositoryId, userId }: { repositoryId: number; userId: number | null },
  range: TextRange,
): Promise<UploadSession[]> {
  return await sql.query<UploadSession>(
    `select ${COLUMNS} from upload_sessions s join images i on i.id = s.image_id
     where i.repository_id = $1 and ($2::bigint is null or s.user_id = $2)
       and ${inRange(ID, 3)} ${ordered(ID, range)} limit $5`,
    [repositoryId, userId, ...rangeParameters(range)],
  );
}
