import type { SqlExecutor } from '../sql-executor.ts';

export interface RefreshingUser {
  userId: number;
  userName: string;
  isAdmin: boolean;
  tokenId: number | null;
  scopes: string[];
}

/** With a token: it lives as long as that. Without: until the password changes. */
export async function insertRefreshToken(
  sql: SqlExecutor,
  token: {
    secretHash: Buffer;
    userId: number;
    tokenId: number | null;
    scopes: readonly string[];
    lifetimeSeconds: number;
  },
): Promise<void> {
  await sql.query(
    `with expired as (delete from refresh_tokens where expires_at < now())
     insert into refresh_tokens (secret_hash, user_id, token_id, password_mark, scopes, expires_at)
     select $1, u.id, $3, case when $3::bigint is null then sha256(coalesce(u.password_hash, '')::bytea) end,
       $4, now() + make_interval(secs => $5)
     from users u where u.id = $2`,
    [token.secretHash, token.userId, token.tokenId, token.scopes, token.lifetimeSeconds],
  );
}

/** null: there is none that is still good. */
export async function findRefreshToken(sql: SqlExecutor, secretHash: Buffer): Promise<RefreshingUser | null> {
  const rows = await sql.query<RefreshingUser>(
    `select u.id as "userId", u.name as "userName", u.is_admin as "isAdmin", r.token_id as "tokenId", r.scopes
     from refresh_tokens r
     join users u on u.id = r.user_id and u.disabled_at is null
     left join tokens t on t.id = r.token_id
     where r.secret_hash = $1 and r.expires_at > now()
       and (r.token_id is null or t.expires_at is null or t.expires_at > now())
       and (r.password_mark is null or r.password_mark = sha256(coalesce(u.password_hash, '')::bytea))`,
    [secretHash],
  );
  return rows[0] ?? null;
}
