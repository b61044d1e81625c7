import type { SqlExecutor } from '../sql-executor.ts';
import { inRange, ordered, rangeParameters, type TextRange } from './text-range.ts';

export interface Tag {
  imageId: number;
  name: string;
  manifestId: number;
  /** Promotions in their order. */
  stages: string[];
  downloads: number;
  lastPulledAt: Date | null;
  createdById: number | null;
  createdAt: Date;
  modifiedById: number | null;
  modifiedAt: Date;
}

const COLUMNS = `
  t.image_id as "imageId", t.name, t.manifest_id as "manifestId", t.stages, t.downloads,
  t.last_pulled_at as "lastPulledAt", t.created_by_id as "createdById", t.created_at as "createdAt",
  t.modified_by_id as "modifiedById", t.modified_at as "modifiedAt"`;

/** What is null does not restrict. */
export interface TagFilter {
  /** A part of the name. */
  name: string | null;
  /** Tags that have been promoted to this stage. */
  stage: string | null;
}

const CONDITIONS = `t.image_id = $1 and ($2::text is null or position($2 in t.name) > 0)
  and ($3::text is null or $3 = any(t.stages))`;

export async function listTagRows(
  sql: SqlExecutor,
  imageId: number,
  { name, stage }: TagFilter,
  range: TextRange,
): Promise<Tag[]> {
  return await sql.query<Tag>(
    `select ${COLUMNS} from tags t
     where ${CONDITIONS} and ${inRange('t.name', 4)} ${ordered('t.name', range)} limit $6`,
    [imageId, name, stage, ...rangeParameters(range)],
  );
}

export async function countTagRows(
  sql: SqlExecutor,
  imageId: number,
  { name, stage }: TagFilter,
): Promise<number> {
  const [row] = await sql.query<{ count: number }>(`select count(*) from tags t where ${CONDITIONS}`, [
    imageId,
    name,
    stage,
  ]);
  return row!.count;
}

export async function findTag(sql: SqlExecutor, imageId: number, name: string): Promise<Tag | null> {
  const [row] = await sql.query<Tag>(`select ${COLUMNS} from tags t where t.image_id = $1 and t.name = $2`, [
    imageId,
    name,
  ]);
  return row ?? null;
}

export async function findTagsOfManifests(sql: SqlExecutor, manifestIds: readonly number[]): Promise<Tag[]> {
  return await sql.query<Tag>(
    `select ${COLUMNS} from tags t where t.manifest_id = any($1::bigint[]) order by t.name`,
    [manifestIds],
  );
}

/** Gives a tag another name; what it has been through stays with it. */
export async function renameTagRow(
  sql: SqlExecutor,
  tag: { imageId: number; from: string; to: string; userId: number | null },
): Promise<void> {
  const parameters = [tag.imageId, tag.from, tag.to];
  await sql.query(
    `update tags set name = $3, modified_by_id = $4, modified_at = clock_timestamp()
     where image_id = $1 and name = $2`,
    [...parameters, tag.userId],
  );
  await sql.query(
    `with moved as (delete from tag_pulls where image_id = $1 and tag = $2 returning day, pulls)
     insert into tag_pulls (image_id, tag, day, pulls) select $1, $3, day, pulls from moved
     on conflict (image_id, tag, day) do update set pulls = tag_pulls.pulls + excluded.pulls`,
    parameters,
  );
}

/** When it was pushed last stays as it is: pulls by digest count for the tag that was. */
export async function updateStages(
  sql: SqlExecutor,
  tag: { imageId: number; name: string; stages: readonly string[] },
): Promise<void> {
  await sql.query('update tags set stages = $3 where image_id = $1 and name = $2', [
    tag.imageId,
    tag.name,
    tag.stages,
  ]);
}

/** Pulls of a tag by day in UTC, from a day on. */
export async function readPullsByDay(
  sql: SqlExecutor,
  tag: { imageId: number; name: string; from: Date },
): Promise<{ day: string; pulls: number }[]> {
  return await sql.query(
    `select to_char(day, 'YYYY-MM-DD') as day, pulls from tag_pulls
     where image_id = $1 and tag = $2 and day >= ($3::timestamptz at time zone 'UTC')::date order by day`,
    [tag.imageId, tag.name, tag.from],
  );
}
