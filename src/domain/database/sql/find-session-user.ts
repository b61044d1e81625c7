import type { SqlExecutor } from '../sql-executor.ts';

/** null: there is none, or it is disabled, or the named token that it logged in with is gone or over. */
export async function findSessionUser(
  sql: SqlExecutor,
  userId: number,
  tokenId: number | null,
): Promise<{ name: string; isAdmin: boolean } | null> {
  const [user] = await sql.query<{ name: string; isAdmin: boolean }>(
    `select name, is_admin as "isAdmin" from users
     where id = $1 and disabled_at is null and ($2::bigint is null or exists (
       select from tokens where id = $2 and user_id = $1 and (expires_at is null or expires_at > now())
     ))`,
    [userId, tokenId],
  );
  return user ?? null;
}
