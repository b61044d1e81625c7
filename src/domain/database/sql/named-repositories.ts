import type { SqlExecutor } from '../sql-executor.ts';
import type { OffsetPage } from './image-packages.ts';
import { type Reader, readable } from './readable-repositories.ts';

export interface RepositoryIdFilter {
  project: string;
  /** The beginning of the name; null: any. */
  name: string | null;
  /** null: any. */
  type: string | null;
}

const MATCHING = `
  from repositories r join projects p on p.id = r.project_id
  where ${readable(1)} and p.name = $3 and ($4::text is null or starts_with(r.name, $4))
    and ($5::text is null or r.type = $5)`;

function parametersOf({ userId, readsAll }: Reader, { project, name, type }: RepositoryIdFilter): unknown[] {
  return [userId, readsAll, project, name, type];
}

/** Of the repositories that the reader may see, by name. */
export async function listRepositoryIds(
  sql: SqlExecutor,
  reader: Reader,
  filter: RepositoryIdFilter,
  { offset, limit }: OffsetPage,
): Promise<number[]> {
  const rows = await sql.query<{ id: number }>(`select r.id ${MATCHING} order by r.name limit $6 offset $7`, [
    ...parametersOf(reader, filter),
    limit,
    offset,
  ]);
  return rows.map((row) => row.id);
}

export async function countRepositoryIds(
  sql: SqlExecutor,
  reader: Reader,
  filter: RepositoryIdFilter,
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) ${MATCHING}`,
    parametersOf(reader, filter),
  );
  return row!.count;
}
