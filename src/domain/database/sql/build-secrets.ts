import type { SqlExecutor } from '../sql-executor.ts';

export async function insertBuildSecrets(
  sql: SqlExecutor,
  buildId: number,
  secrets: Readonly<Record<string, string>>,
): Promise<void> {
  await sql.query(
    `insert into image_build_secrets (build_id, id, value)
     select $1, * from unnest($2::text[], $3::text[])`,
    [buildId, Object.keys(secrets), Object.values(secrets)],
  );
}

export async function readBuildSecrets(sql: SqlExecutor, buildId: number): Promise<Record<string, string>> {
  const rows = await sql.query<{ id: string; value: string }>(
    'select id, value from image_build_secrets where build_id = $1',
    [buildId],
  );
  return Object.fromEntries(rows.map(({ id, value }) => [id, value]));
}

export async function deleteBuildSecrets(sql: SqlExecutor, buildId: number): Promise<void> {
  await sql.query('delete from image_build_secrets where build_id = $1', [buildId]);
}
