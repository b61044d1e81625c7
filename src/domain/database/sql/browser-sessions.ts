import type { SqlExecutor } from '../sql-executor.ts';

interface SessionTimes {
  lifetimeSeconds: number;
  /** Without a request for so long it is over, too. */
  idleSeconds: number;
}

export interface SessionUser {
  userId: number;
  name: string;
  isAdmin: boolean;
}

/** Removes what is over, and of the user's own all but the newest. False: there is no such user, or without a password. */
export async function insertBrowserSession(
  sql: SqlExecutor,
  session: { secretHash: Buffer; userId: number; most: number } & SessionTimes,
): Promise<boolean> {
  const rows = await sql.query(
    `with over as (
       delete from browser_sessions
       where expires_at < now() or (user_id = $2 and secret_hash in (
         select secret_hash from browser_sessions where user_id = $2 order by created_at desc offset $4 - 1
       ))
     )
     insert into browser_sessions (secret_hash, user_id, password_mark, expires_at)
     select $1, id, sha256(password_hash::bytea), now() + make_interval(secs => $3)
     from users where id = $2 and password_hash is not null and disabled_at is null returning user_id`,
    [session.secretHash, session.userId, session.lifetimeSeconds, session.most],
  );
  return rows.length > 0;
}

/** null: it is over, its user is disabled or has another password. Notes, once a minute, that it is used. */
export async function useBrowserSession(
  sql: SqlExecutor,
  secretHash: Buffer,
  { idleSeconds }: Pick<SessionTimes, 'idleSeconds'>,
): Promise<SessionUser | null> {
  const [row] = await sql.query<SessionUser & { isNoted: boolean }>(
    `select u.id as "userId", u.name, u.is_admin as "isAdmin",
       s.last_used_at > now() - interval '1 minute' as "isNoted"
     from browser_sessions s join users u on u.id = s.user_id
     where s.secret_hash = $1 and s.expires_at > now() and s.last_used_at > now() - make_interval(secs => $2)
       and u.disabled_at is null and s.password_mark = sha256(u.password_hash::bytea)`,
    [secretHash, idleSeconds],
  );
  if (!row) return null;
  const { isNoted, ...user } = row;
  if (!isNoted) {
    await sql.query('update browser_sessions set last_used_at = now() where secret_hash = $1', [secretHash]);
  }
  return user;
}

export async function deleteBrowserSession(sql: SqlExecutor, secretHash: Buffer): Promise<void> {
  await sql.query('delete from browser_sessions where secret_hash = $1', [secretHash]);
}
