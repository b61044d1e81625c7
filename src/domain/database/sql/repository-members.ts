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

const ROLES = `array['viewer', 'developer', 'owner']`;

/** Raises roles, never lowers them, in the project or (where there are any) in repositories of it. */
export async function raiseRoles(
  sql: SqlExecutor,
  place: { projectId: number; repositoryIds: readonly number[] },
  grant: { userName: string; role: Role },
): Promise<boolean> {
  const [user] = await sql.query<{ id: number }>('select id from users where name = $1', [grant.userName]);
  if (!user) return false;
  const [table, column, ids] =
    place.repositoryIds.length === 0
      ? (['project_members', 'project_id', [place.projectId]] as const)
      : (['repository_members', 'repository_id', place.repositoryIds] as const);
  await sql.query(
    `insert into ${table} as m (${column}, user_id, role)
     select distinct one.id, $2::bigint, $3 from unnest($1::bigint[]) as one (id)
     on conflict (${column}, user_id) do update set role = excluded.role
       where array_position(${ROLES}, m.role) < array_position(${ROLES}, excluded.role)`,
    [ids, user.id, grant.role],
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
