import type { Role } from '../../identity/project.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Adds a member or changes its role; null: it is none any more. False: there is no such user. */
export async function setRepositoryMemberRow(
  sql: SqlExecutor,
  { repositoryId, userName, role }: { repositoryId: number; userName: string; role: Role | null },
): Promise<boolean> {
  const [user] = await sql.query<{ id: number }>('select id from users where name = $1', [userName]);
  if (!user) return false;
  if (role === null) {
    await sql.query('delete from repository_members where repository_id = $1 and user_id = $2', [
      repositoryId,
      user.id,
    ]);
    return true;
  }
  await sql.query(
    `insert into repository_members (repository_id, user_id, role) values ($1, $2, $3)
     on conflict (repository_id, user_id) do update set role = excluded.role`,
    [repositoryId, user.id, role],
  );
  return true;
}

/** By name. */
export async function listRepositoryMemberRows(
  sql: SqlExecutor,
  repositoryId: number,
): Promise<{ userId: number; role: Role }[]> {
  return await sql.query(
    `select m.user_id as "userId", m.role from repository_members m join users u on u.id = m.user_id
     where m.repository_id = $1 order by u.name`,
    [repositoryId],
  );
}
