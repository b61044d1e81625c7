import type { ImageBuild } from '../../images/image-build.ts';
import { isLocalRepository } from '../../sources/local-repository.ts';
import type { SqlExecutor } from '../sql-executor.ts';
import { addJob, LOCAL_SOURCE_JOB } from './add-job.ts';
import { tellQueuePositions } from './tell-queue-positions.ts';

/**
 * Gives the free places of a project to the builds that wait the longest, and each of them a job. Called in every
 * transaction that adds a waiting build or ends one, so that nobody needs to look whether there is something to do.
 *
 * Builds that somebody else holds just now are passed over: whoever holds a waiting build ends or queues it, and calls
 * this in turn.
 */
export async function admitBuilds(sql: SqlExecutor, projectId: number, places: number): Promise<void> {
  // One at a time, or two would give away the same place.
  await sql.query('select from projects where id = $1 for no key update', [projectId]);
  const admitted = await sql.query<AdmittedBuild>(
    `update image_builds set is_admitted = true where id in (
       select id from image_builds
       where project_id = $1 and state = 'queued' and not is_admitted
       order by queued_at, id
       limit greatest(0, $2 - (
         select count(*) from image_builds
         where project_id = $1 and state in ('queued', 'running') and is_admitted
       ))
       for no key update skip locked
     ) returning id, retries, repository, trace_parent as traceparent`,
    [projectId, places],
  );
  for (const build of admitted.sort((a, b) => a.id - b.id)) await addBuildJob(sql, build);
  await tellQueuePositions(sql, projectId);
}

/** Builds of a project that wait or run. */
export async function countUnfinishedBuilds(sql: SqlExecutor, projectId: number): Promise<number> {
  const [row] = await sql.query<{ count: number }>(
    `select count(*) as count from image_builds where project_id = $1 and state in ('queued', 'running')`,
    [projectId],
  );
  return row!.count;
}

type AdmittedBuild = Pick<ImageBuild, 'id' | 'retries' | 'repository' | 'traceparent'>;

export async function addBuildJob(
  sql: SqlExecutor,
  { id, retries, repository, traceparent }: AdmittedBuild,
): Promise<void> {
  const isLocal = repository !== null && isLocalRepository(repository);
  await addJob(
    sql,
    'build-image',
    { buildId: id, retries },
    { key: `build:${id}`, traceparent, ...(isLocal && { flags: [LOCAL_SOURCE_JOB] }) },
  );
}

/** How many builds start before each of these: the waiting ones of its project, and those that wait for a worker. */
export async function readQueuePositions(
  sql: SqlExecutor,
  buildIds: readonly number[],
): Promise<{ id: number; position: number }[]> {
  return await sql.query<{ id: number; position: number }>(
    `select b.id, 1 + (
       select count(*) from image_builds other
       where other.state = 'queued' and other.project_id = b.project_id
         and (not other.is_admitted, other.queued_at, other.id) < (not b.is_admitted, b.queued_at, b.id)
     ) as position
     from image_builds b where b.id = any($1::bigint[]) and b.state = 'queued'`,
    [buildIds],
  );
}
