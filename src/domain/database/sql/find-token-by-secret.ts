import type { SqlExecutor } from '../sql-executor.ts';

export interface FoundToken {
  tokenId: number;
  userId: number;
  userName: string;
  isAdmin: boolean;
  scopes: string[];
}

/** The valid token with this hash; notes its use, at most once a minute. */
export async function findTokenBySecret(sql: SqlExecutor, secretHash: Buffer): Promise<FoundToken | null> {
  const rows = await sql.query<FoundToken>(
    `with found as (
       select t.id, u.id as "userId", u.name as "userName", u.is_admin as "isAdmin", t.scopes, t.last_used_at
       from tokens t join users u on u.id = t.user_id
       where t.secret_hash = $1
         and u.disabled_at is null
         and (t.expires_at is null or t.expires_at > now())
     ), used as (
       update tokens set last_used_at = now()
       where id = (select id from found where last_used_at is null or last_used_at < now() - interval '1 minute')
     )
     select id as "tokenId", "userId", "userName", "isAdmin", scopes from found`,
    [secretHash],
  );
  return rows[0] ?? null;
}
