import type { SqlExecutor } from '../sql-executor.ts';

/** Whether this run of a build goes on: it has not ended, and nobody has begun it anew. */
export async function buildRuns(
  sql: SqlExecutor,
  { id, attempt }: { id: number; attempt: number },
): Promise<boolean> {
  const rows = await sql.query(
    `select from image_builds where id = $1 and attempt = $2 and state = 'running'`,
    [id, attempt],
  );
  return rows.length > 0;
}
