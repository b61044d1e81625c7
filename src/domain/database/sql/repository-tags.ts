import type { SqlExecutor } from '../sql-executor.ts';

interface Tag {
  name: string;
  commit: string;
}

/** null: the tags of this commit were never asked for. */
export async function findTags(sql: SqlExecutor, origin: string, commit: string): Promise<Tag[] | null> {
  const rows = await sql.query<{ tags: Tag[] }>(
    'select tags from repository_tags where origin = $1 and commit = $2',
    [origin, commit],
  );
  return rows[0]?.tags ?? null;
}

export async function insertTags(
  sql: SqlExecutor,
  origin: string,
  commit: string,
  tags: readonly Tag[],
): Promise<void> {
  await sql.query(
    `insert into repository_tags (origin, commit, tags) values ($1, $2, $3::jsonb) on conflict do nothing`,
    [origin, commit, JSON.stringify(tags)],
  );
}
