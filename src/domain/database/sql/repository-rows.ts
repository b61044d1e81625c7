import type { SqlExecutor } from '../sql-executor.ts';
import { type Reader, readable } from './readable-repositories.ts';
import { inRange, ordered, rangeParameters, type TextRange } from './text-range.ts';

export const REPOSITORY_TYPES = ['DOCKER', 'OCI'] as const;
type RepositoryType = (typeof REPOSITORY_TYPES)[number];
export const REPOSITORY_CATEGORIES = ['LOCAL', 'REMOTE', 'VIRTUAL', 'COMPOSITE', 'PROXY'] as const;
type RepositoryCategory = (typeof REPOSITORY_CATEGORIES)[number];

export interface Repository {
  id: number;
  projectId: number;
  project: string;
  name: string;
  /** project/name: unique, and the order of lists. */
  path: string;
  type: RepositoryType;
  category: RepositoryCategory;
  isPublic: boolean;
  displayName: string | null;
  description: string;
  configuration: unknown;
  retention: unknown;
  /** Bytes; null: no limit. */
  quota: number | null;
  version: number;
  createdById: number | null;
  createdAt: Date;
  modifiedById: number | null;
  modifiedAt: Date;
}

const PATH = `(p.name || '/' || r.name) collate "C"`;

const COLUMNS = `
  r.id, r.project_id as "projectId", p.name as project, r.name, ${PATH} as path, r.type, r.category,
  r.is_public as "isPublic", r.display_name as "displayName", r.description, r.configuration, r.retention, r.quota,
  r.version, r.created_by_id as "createdById", r.created_at as "createdAt", r.modified_by_id as "modifiedById",
  r.modified_at as "modifiedAt"`;

const TABLES = 'repositories r join projects p on p.id = r.project_id';

/** What is null does not restrict. */
export interface RepositoryFilter {
  project: string | null;
  /** A part of the name. */
  name: string | null;
  type: RepositoryType | null;
}

const CONDITIONS = `${readable(1)} and ($3::text is null or p.name = $3)
  and ($4::text is null or position(lower($4) in lower(r.name)) > 0) and ($5::text is null or r.type = $5)`;

function parametersOf(reader: Reader, { project, name, type }: RepositoryFilter): unknown[] {
  return [reader.userId, reader.readsAll, project, name, type];
}

export async function listRepositories(
  sql: SqlExecutor,
  reader: Reader,
  filter: RepositoryFilter,
  range: TextRange,
): Promise<Repository[]> {
  return await sql.query<Repository>(
    `select ${COLUMNS} from ${TABLES} where ${CONDITIONS} and ${inRange(PATH, 6)} ${ordered(PATH, range)} limit $8`,
    [...parametersOf(reader, filter), ...rangeParameters(range)],
  );
}

export async function countRepositories(
  sql: SqlExecutor,
  reader: Reader,
  filter: RepositoryFilter,
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) from ${TABLES} where ${CONDITIONS}`,
    parametersOf(reader, filter),
  );
  return row!.count;
}

/** Those of the given repositories that the reader may see. */
export async function findReadableRepositories(
  sql: SqlExecutor,
  reader: Reader,
  ids: readonly number[],
): Promise<Repository[]> {
  return await sql.query<Repository>(
    `select ${COLUMNS} from ${TABLES} where ${readable(1)} and r.id = any($3::bigint[])`,
    [reader.userId, reader.readsAll, ids],
  );
}

/** null: there is none, or none that the reader may see. */
export async function findRepositoryByName(
  sql: SqlExecutor,
  reader: Reader,
  project: string,
  name: string,
): Promise<Repository | null> {
  const [row] = await sql.query<Repository>(
    `select ${COLUMNS} from ${TABLES} where ${readable(1)} and p.name = $3 and r.name = $4`,
    [reader.userId, reader.readsAll, project, name],
  );
  return row ?? null;
}

export async function findRepository(sql: SqlExecutor, id: number): Promise<Repository | null> {
  const [row] = await sql.query<Repository>(`select ${COLUMNS} from ${TABLES} where r.id = $1`, [id]);
  return row ?? null;
}

export type RepositoryValues = Pick<
  Repository,
  'type' | 'category' | 'isPublic' | 'displayName' | 'description' | 'configuration' | 'quota'
>;

/** Its id; violates a unique index when the project has one of this name. */
export async function insertRepository(
  sql: SqlExecutor,
  row: RepositoryValues & { projectId: number; name: string; userId: number | null },
): Promise<number> {
  const [inserted] = await sql.query<{ id: number }>(
    `insert into repositories (project_id, name, type, category, is_public, display_name, description, configuration,
       quota, created_by_id, modified_by_id)
     values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb, $9, $10, $10) returning id`,
    [
      row.projectId,
      row.name,
      row.type,
      row.category,
      row.isPublic,
      row.displayName,
      row.description,
      row.configuration === null ? null : JSON.stringify(row.configuration),
      row.quota,
      row.userId,
    ],
  );
  return inserted!.id;
}

/** What is absent stays; of what may be null, null takes it away. */
export async function updateRepository(
  sql: SqlExecutor,
  id: number,
  changes: Partial<Pick<Repository, 'isPublic' | 'displayName' | 'description' | 'configuration' | 'quota'>>,
  userId: number | null,
): Promise<void> {
  const { configuration } = changes;
  await sql.query(
    `update repositories set
       is_public = coalesce($2, is_public),
       display_name = case when $3 then $4 else display_name end,
       description = coalesce($5, description),
       configuration = case when $6 then $7::jsonb else configuration end,
       quota = case when $8 then $9::bigint else quota end,
       modified_by_id = $10, modified_at = clock_timestamp()
     where id = $1`,
    [
      id,
      changes.isPublic ?? null,
      changes.displayName !== undefined,
      changes.displayName ?? null,
      changes.description ?? null,
      configuration !== undefined,
      configuration == null ? null : JSON.stringify(configuration),
      changes.quota !== undefined,
      changes.quota ?? null,
      userId,
    ],
  );
}

/** Bytes of all distinct blobs of its images, by repository. */
export async function bytesOfRepositories(
  sql: SqlExecutor,
  ids: readonly number[],
): Promise<{ id: number; bytes: number }[]> {
  return await sql.query(
    `select one.id, coalesce(sum(b.size), 0)::bigint as bytes
     from (
       select distinct i.repository_id as id, l.digest
       from images i join image_blobs l on l.image_id = i.id where i.repository_id = any($1::bigint[])
     ) as one join blobs b on b.digest = one.digest
     group by one.id`,
    [ids],
  );
}
