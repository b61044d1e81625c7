import type { SqlExecutor } from '../sql-executor.ts';

/**
 * The project that paths of images call so. Somebody else may be making the same thing at the same time: whoever comes
 * second finds it. null: a project of this name has another path.
 */
export async function ensureProject(
  sql: SqlExecutor,
  name: string,
  userId: number | null,
): Promise<number | null> {
  await sql.query(
    `with project as (
       insert into projects (name, created_by_id) values ($1, $2) on conflict do nothing returning id
     )
     insert into project_members (project_id, user_id, role)
     select id, $2, 'owner' from project where $2::bigint is not null`,
    [name, userId],
  );
  const [row] = await sql.query<{ id: number }>('select id from projects where path = $1', [name]);
  return row?.id ?? null;
}

export async function ensureRepository(
  sql: SqlExecutor,
  repository: { projectId: number; name: string; userId: number | null },
): Promise<number> {
  const { projectId, name, userId } = repository;
  await sql.query(
    `insert into repositories (project_id, name, created_by_id, modified_by_id) values ($1, $2, $3, $3)
     on conflict (project_id, name) do nothing`,
    [projectId, name, userId],
  );
  const [row] = await sql.query<{ id: number }>(
    'select id from repositories where project_id = $1 and name = $2',
    [projectId, name],
  );
  return row!.id;
}

export async function ensureImage(
  sql: SqlExecutor,
  image: { repositoryId: number; name: string; path: string; userId: number | null },
): Promise<number> {
  const { repositoryId, name, path, userId } = image;
  await sql.query(
    `insert into images (repository_id, name, path, created_by_id, modified_by_id) values ($1, $2, $3, $4, $4)
     on conflict do nothing`,
    [repositoryId, name, path, userId],
  );
  const [row] = await sql.query<{ id: number }>(
    'select id from images where repository_id = $1 and name = $2',
    [repositoryId, name],
  );
  return row!.id;
}
