import { requireView } from '../bundle-requests/permissions.ts';
import { requireUpload } from '../bundle-requests/submit.ts';
import type { Settings } from '../config.ts';
import type { Database, Transaction } from '../database/database.ts';
import { admitBuilds } from '../database/sql/admit-builds.ts';
import { insertBuildSecrets } from '../database/sql/build-secrets.ts';
import { findBuildRow } from '../database/sql/image-build-rows.ts';
import { insertBuild } from '../database/sql/insert-build.ts';
import {
  ensureVersion,
  findPublishedImageRow,
  findVersionRowsById,
  lockPublishedImage,
} from '../database/sql/published-images.ts';
import { ConflictError, NotFoundError } from '../errors.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import { Seal } from '../secrets/seal.ts';
import { type BuildSource, type BuildSubmission, validBuild } from './build-submission.ts';
import { hasEnded, type ImageBuild } from './image-build.ts';
import { requireDeveloper, requirePublishedView } from './permissions.ts';
import { type PublishedImage, type PublishedName, requireVersionName } from './published-image.ts';
import { ensurePublishedImage } from './published-images.ts';
import { requireRoom } from './require-room.ts';

/**
 * What to do about a version that is there. `once`: a version that was built, or is being built, stays as it is, and the
 * image must be there (fandogh.md 1.8). `replace`: the newest build that succeeds is what the tag names; an image that is
 * not there is made.
 */
export type PublishPolicy = 'once' | 'replace';

/** Stores the build, and gives it a place if its project has a free one, in one transaction. */
export async function submitBuild(
  database: Database,
  settings: Settings,
  principal: Principal,
  destination: PublishedName & { version: string },
  submission: BuildSubmission,
  policy: PublishPolicy,
): Promise<ImageBuild> {
  requireScope(principal, 'write');
  requireVersionName(destination.version);
  const { source, options, secrets } = validBuild(submission, settings);
  return await database.transaction(async (tx) => {
    const image = await imageOf(tx, principal, destination, policy);
    await requireSource(tx, principal, source);
    const { projectId } = await lockPublishedImage(tx.sql, image.id, 'share');
    const versionId = await ensureVersion(tx.sql, image.id, destination.version);
    if (policy === 'once') await requireFreeVersion(tx, versionId, destination);
    await requireRoom(tx, settings, projectId);
    const { userId } = principal;
    const seal = await Seal.open(settings);
    const stored = { ...source, repository: seal.sealUrl(source.repository) };
    const id = await insertBuild(tx.sql, { versionId, projectId, userId, options, ...stored });
    await insertBuildSecrets(tx.sql, id, seal.sealAll(secrets));
    await admitBuilds(tx.sql, projectId, settings.projectBuildConcurrency);
    return (await findBuildRow(tx.sql, id))!;
  });
}

async function imageOf(
  tx: Transaction,
  principal: Principal,
  name: PublishedName,
  policy: PublishPolicy,
): Promise<PublishedImage> {
  if (policy === 'replace') return (await ensurePublishedImage(tx, principal, name)).image;
  const missing = new NotFoundError(`Image with this name: ${name.name} does not exist`);
  const image = await findPublishedImageRow(tx.sql, name);
  if (!image) throw missing;
  await requirePublishedView(tx, principal, image.id).catch((error: unknown) => {
    throw error instanceof NotFoundError ? missing : error;
  });
  await requireDeveloper(tx, principal, image.projectId);
  return image;
}

/** Of a version that somebody is publishing at the same moment we hear when they are done: we hold its row. */
async function requireFreeVersion(
  tx: Transaction,
  versionId: number,
  { name, version }: PublishedName & { version: string },
): Promise<void> {
  const [known] = await findVersionRowsById(tx.sql, [versionId]);
  if (!known) return;
  if (known.build.state === 'succeeded') {
    throw new ConflictError(
      `You already have a successful image built with version:${version} for image:${name}`,
    );
  }
  if (!hasEnded(known.build)) {
    throw new ConflictError(`A build of version:${version} for image:${name} is in progress`);
  }
}

async function requireSource(
  tx: Transaction,
  principal: Principal,
  { uploadId, requestId }: BuildSource,
): Promise<void> {
  if (uploadId !== null) await requireUpload(tx, principal, uploadId);
  if (requestId === null) return;
  const request = await requireView(tx, principal, { id: requestId });
  if (request.state !== 'complete') {
    throw new ConflictError(
      `Request ${requestId} is ${request.state}; an image can be built from a complete one only`,
    );
  }
}
