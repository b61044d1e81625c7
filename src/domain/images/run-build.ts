import type { Settings } from '../config.ts';
import type { Database, Transaction } from '../database/database.ts';
import type { BuildPayload } from '../database/sql/add-job.ts';
import { addBuildJob, admitBuilds } from '../database/sql/admit-builds.ts';
import { buildRuns } from '../database/sql/build-runs.ts';
import { readBuildSecrets } from '../database/sql/build-secrets.ts';
import { lockBuild } from '../database/sql/image-build-rows.ts';
import { recordBuildEvent } from '../database/sql/record-build-event.ts';
import { findManifests, lockImage, moveTags, recordImageEvent } from '../database/sql/registry-manifests.ts';
import { tellQueuePositions } from '../database/sql/tell-queue-positions.ts';
import { NotFoundError } from '../errors.ts';
import { LeaseLostError } from '../lease-lost.ts';
import { BuildFailure } from './build-failure.ts';
import { type BuildResult, changeBuildState } from './change-build-state.ts';
import { type BuildError, hasEnded, type ImageBuild } from './image-build.ts';
import { ensurePlace } from './published-images.ts';
import { removeStagingTags } from './staging-tag.ts';

/**
 * How a worker takes a build, reports on it and ends it. Everything is fenced by the build's `attempt`: a worker that lost
 * the build (killed, cut off, too slow) changes nothing any more.
 */
export interface BuildLease {
  build: ImageBuild;
  secrets: Readonly<Record<string, string>>;
}

/** Takes the build for a worker; null when there is nothing to do any more. */
export async function takeBuild(
  database: Database,
  { buildId, retries }: BuildPayload,
  workerId: string,
): Promise<BuildLease | null> {
  return await database.transaction(async ({ sql }) => {
    const build = await lockIfThere(sql, buildId);
    if (!build || hasEnded(build) || build.retries !== retries) return null;
    // Its job was given to us although it runs: the worker that had it is dead.
    if (build.state === 'running') await changeBuildState(sql, build, { state: 'queued' });
    await changeBuildState(sql, build, { state: 'running', workerId });
    await ensurePlace({ sql }, placeOf(build));
    await tellQueuePositions(sql, build.projectId);
    return { build: await lockBuild(sql, buildId), secrets: await readBuildSecrets(sql, buildId) };
  });
}

/** What the ref of a repository was resolved to: the build stays at it, whoever does it again. Throws LeaseLostError. */
export async function recordBuildCommit(
  database: Database,
  lease: BuildLease,
  commit: string,
): Promise<void> {
  if (lease.build.commit === commit) return;
  await database.transaction(async ({ sql }) => {
    const build = await lockLeased(sql, lease);
    await sql.query('update image_builds set commit = $2 where id = $1', [build.id, commit]);
    await recordBuildEvent(sql, build.id, 'source', { commit });
  });
  lease.build.commit = commit;
}

/**
 * Ends a build whose image is in the registry, and puts the version's tag on it, unless a newer build of the version has
 * succeeded meanwhile. Throws LeaseLostError, and BuildFailure when the image is not there.
 */
export async function finishBuild(
  database: Database,
  settings: Settings,
  lease: BuildLease,
  result: BuildResult,
): Promise<void> {
  await database.transaction(async ({ sql }) => {
    const build = await lockLeased(sql, lease);
    await putTag(sql, build, result);
    await removeStagingTags(sql, build);
    await changeBuildState(sql, build, { state: 'succeeded', result });
    await admitBuilds(sql, build.projectId, settings.projectBuildConcurrency);
  });
}

async function putTag(sql: Transaction['sql'], build: ImageBuild, { digest }: BuildResult): Promise<void> {
  const { userId, tag } = build;
  const imageId = await ensurePlace({ sql }, placeOf(build));
  // From here on no other build of the version ends before this one.
  await lockImage(sql, imageId);
  const manifest = (await findManifests(sql, imageId, [digest])).get(digest);
  if (!manifest) {
    throw new BuildFailure('push-failed', 'The image is not in the registry', { details: { digest } });
  }
  const [newer] = await sql.query(
    `select from image_builds where version_id = $1 and id > $2 and state = 'succeeded' limit 1`,
    [build.versionId, build.id],
  );
  if (newer) return;
  await recordImageEvent(sql, { imageId, type: 'tagged', data: { tag, digest }, userId });
  await moveTags(sql, { imageId, manifestId: manifest.id, tags: [tag], userId });
}

/** Ends a build with an error. False: the lease is gone, and nothing is done. */
export async function failBuild(
  database: Database,
  settings: Settings,
  lease: BuildLease,
  failure: BuildError,
): Promise<boolean> {
  return await ifLeased(database, lease, async (sql, build) => {
    await changeBuildState(sql, build, { state: 'failed', failure });
    await removeStagingTags(sql, build);
    await admitBuilds(sql, build.projectId, settings.projectBuildConcurrency);
  });
}

/** Gives a build back that this worker does not finish; another one does it again at once. */
export async function returnBuild(database: Database, lease: BuildLease): Promise<boolean> {
  return await ifLeased(database, lease, async (sql, build) => {
    await changeBuildState(sql, build, { state: 'queued' });
    await addBuildJob(sql, build);
    await tellQueuePositions(sql, build.projectId);
  });
}

/** What dead workers ran waits again; their jobs are unlocked already. */
export async function requeueBuildsOf(database: Database, workerIds: readonly string[]): Promise<void> {
  const builds = await database.sql.query<{ id: number }>(
    `select id from image_builds where state = 'running' and worker_id = any($1::uuid[])`,
    [workerIds],
  );
  for (const { id } of builds) {
    await database.transaction(async ({ sql }) => {
      const build = await lockIfThere(sql, id);
      // Whoever took its job meanwhile has seen to it.
      if (build?.state !== 'running' || !workerIds.includes(build.workerId!)) return;
      await changeBuildState(sql, build, { state: 'queued' });
      await tellQueuePositions(sql, build.projectId);
    });
  }
}

/** True while the build is ours to work on. */
export async function buildLeaseHolds(database: Database, { build }: BuildLease): Promise<boolean> {
  return await buildRuns(database.sql, build);
}

async function ifLeased(
  database: Database,
  lease: BuildLease,
  work: (sql: Transaction['sql'], build: ImageBuild) => Promise<void>,
): Promise<boolean> {
  return await database.transaction(async ({ sql }) => {
    const build = await lockLeased(sql, lease).catch((reason: unknown) => {
      if (reason instanceof LeaseLostError) return null;
      throw reason;
    });
    if (build) await work(sql, build);
    return build !== null;
  });
}

async function lockLeased(
  sql: Transaction['sql'],
  { build: { id, attempt } }: BuildLease,
): Promise<ImageBuild> {
  const build = await lockIfThere(sql, id);
  if (build?.state === 'running' && build.attempt === attempt) return build;
  throw new LeaseLostError(`image build ${id} is not ours any more`);
}

/** null: its image was deleted. */
async function lockIfThere(sql: Transaction['sql'], id: number): Promise<ImageBuild | null> {
  return await lockBuild(sql, id).catch((error: unknown) => {
    if (error instanceof NotFoundError) return null;
    throw error;
  });
}

function placeOf({ projectId, imagePath, userId }: ImageBuild): Parameters<typeof ensurePlace>[1] {
  return { projectId, repository: imagePath.split('/')[1]!, path: imagePath, userId };
}
