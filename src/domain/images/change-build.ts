import type { Settings } from '../config.ts';
import type { Database, Transaction } from '../database/database.ts';
import { admitBuilds } from '../database/sql/admit-builds.ts';
import { insertBuildSecrets } from '../database/sql/build-secrets.ts';
import { reopenLog } from '../database/sql/close-log.ts';
import { lockBuild } from '../database/sql/image-build-rows.ts';
import { ConflictError, InvalidInputError } from '../errors.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import { Seal } from '../secrets/seal.ts';
import { validSecrets } from './build-submission.ts';
import { changeBuildState } from './change-build-state.ts';
import { cancelledBy, type ImageBuild } from './image-build.ts';
import { requireBuildView, requireDeveloper } from './permissions.ts';
import { requireRoom } from './require-room.ts';
import { removeStagingTags } from './staging-tag.ts';

/** Ends a build that waits or runs; its worker notices at once and kills what it runs. Idempotent. */
export async function cancelBuild(
  database: Database,
  settings: Settings,
  principal: Principal,
  id: number,
): Promise<ImageBuild> {
  return await changeBuild(database, settings, principal, id, async ({ sql }, build) => {
    if (build.state === 'cancelled') return;
    if (build.state !== 'queued' && build.state !== 'running') {
      throw new ConflictError(
        `Build ${id} has ${build.state}; only a build that waits or runs can be cancelled`,
      );
    }
    await changeBuildState(sql, build, { state: 'cancelled', failure: cancelledBy(principal) });
    await removeStagingTags(sql, build);
  });
}

/**
 * Does a failed or cancelled build again, from the same source: an uploaded archive, a repository's commit. Its secrets
 * are gone and must be given again.
 */
export async function retryBuild(
  database: Database,
  settings: Settings,
  principal: Principal,
  id: number,
  given: Readonly<Record<string, string>> = {},
): Promise<ImageBuild> {
  const secrets = validSecrets(given);
  return await changeBuild(database, settings, principal, id, async ({ sql }, build) => {
    if (build.state !== 'failed' && build.state !== 'cancelled') {
      const is = build.state === 'succeeded' ? 'has succeeded' : `is ${build.state}`;
      throw new ConflictError(`Build ${id} ${is}; only a failed or cancelled build can be retried`);
    }
    requireStoredSource(build);
    requireSameSecrets(build, secrets);
    await requireRoom({ sql }, settings, build.projectId);
    await reopenLog(sql, { subjectType: 'image-build', subjectId: id });
    await changeBuildState(sql, build, { state: 'queued', isRetry: true });
    await insertBuildSecrets(sql, id, (await Seal.open(settings)).sealAll(secrets));
  });
}

function requireStoredSource({ id, uploadId, repository, requestId }: ImageBuild): void {
  if (uploadId !== null || repository !== null || requestId !== null) return;
  throw new ConflictError(`The uploaded source of build ${id} is not kept any more; upload it again`);
}

function requireSameSecrets({ id, options }: ImageBuild, secrets: Readonly<Record<string, string>>): void {
  const given = Object.keys(secrets);
  const missing = options.secretIds.filter((one) => !given.includes(one));
  if (missing.length > 0) {
    throw new InvalidInputError(`Build ${id} needs its secrets again: ${missing.join(', ')}`, {
      hint: 'Secrets are kept only until a build ends.',
    });
  }
  const unknown = given.filter((one) => !options.secretIds.includes(one));
  if (unknown.length > 0)
    throw new InvalidInputError(`Build ${id} has no secret "${unknown[0]!.slice(0, 60)}"`);
}

/** What its users do to a build: under its row's lock, all of it or nothing. Gives the build as it is then. */
async function changeBuild(
  database: Database,
  settings: Settings,
  principal: Principal,
  id: number,
  change: (tx: Transaction, build: ImageBuild) => Promise<void>,
): Promise<ImageBuild> {
  // Before anything is locked or said about what there is.
  requireScope(principal, 'read');
  return await database.transaction(async (tx) => {
    await requireBuildView(tx, principal, id);
    const build = await lockBuild(tx.sql, id);
    await requireDeveloper(tx, principal, build.projectId);
    await change(tx, build);
    await admitBuilds(tx.sql, build.projectId, settings.projectBuildConcurrency);
    return await lockBuild(tx.sql, id);
  });
}
