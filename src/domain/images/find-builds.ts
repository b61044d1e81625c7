import type { Database } from '../database/database.ts';
import { readQueuePositions } from '../database/sql/admit-builds.ts';
import type { IdRange } from '../database/sql/id-range.ts';
import { type BuildFilter, countBuildRows, listBuildRows } from '../database/sql/image-build-rows.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import type { ImageBuild } from './image-build.ts';
import { requireBuildView } from './permissions.ts';

/** Throws NotFoundError, also for builds that the principal must not know of. */
export async function findBuild(database: Database, principal: Principal, id: number): Promise<ImageBuild> {
  return await requireBuildView(database, principal, id);
}

/** Builds that the principal may see, newest first. */
export async function listBuilds(
  database: Database,
  principal: Principal,
  filter: BuildFilter,
  range: IdRange,
): Promise<ImageBuild[]> {
  requireScope(principal, 'read');
  return await listBuildRows(database.sql, principal, filter, range);
}

export async function countBuilds(
  database: Database,
  principal: Principal,
  filter: BuildFilter,
): Promise<number> {
  requireScope(principal, 'read');
  return await countBuildRows(database.sql, principal, filter);
}

/** The how manieth to start of its project, from 1; null: it does not wait. */
export async function queuePosition(database: Database, build: ImageBuild): Promise<number | null> {
  const [row] = await readQueuePositions(database.sql, [build.id]);
  return row?.position ?? null;
}
