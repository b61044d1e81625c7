import type { SqlExecutor } from '../sql-executor.ts';

/** Names of a user's projects, in the order in which the user became a member. */
export async function listMemberships(sql: SqlExecutor, userId: number): Promise<string[]> {
  const rows = await sql.query<{ name: string }>(
    `select p.name from project_members m join projects p on p.id = m.project_id
     where m.user_id = $1 order by m.created_at, p.id`,
    [userId],
  );
  return rows.map(({ name }) => name);
}
