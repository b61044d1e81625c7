import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { addImageBlob, addImageBlobOfFreshUpload, bytesOfRepository } from '../database/sql/image-blobs.ts';
import { findUploadSession, insertUploadSession, tellUploadSize } from '../database/sql/upload-sessions.ts';
import { NotFoundError } from '../errors.ts';
import type { StoredBlob } from '../storage/blob-store.ts';
import { releaseBuffers } from '../storage/release-buffers.ts';
import { type RegistryPrincipal, requireRegistryAccess } from './access.ts';
import { RegistryError } from './errors.ts';
import type { ImageName } from './image-name.ts';
import { type PushedImage, requirePushAccess } from './push-access.ts';
import { type Chunk, rangeInvalid, receiveChunk } from './receive-chunk.ts';
import { type Address, algorithmOf, isDigest } from './reference.ts';
import type { Registry } from './registry.ts';
import { isSmall, isWholeBlob, SmallBody } from './small-body.ts';
import { UploadHash } from './upload-hash.ts';
import { type HeldUpload, unknownUpload } from './upload-sessions.ts';

/** Opens an upload; returns its id (oci-registry.md 4). */
export async function startUpload(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
): Promise<string> {
  const pushed = await requirePushAccess(registry, principal, image);
  return await openSession(registry, principal, pushed);
}

/** Bytes received so far: from there the client may go on. Throws `blob-upload-unknown`. */
export async function uploadProgress(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  id: string,
): Promise<number> {
  const imageId = await imageOfUpload(registry, principal, image, id);
  const running = await registry.uploads.progress(id);
  for (const deadline = Date.now() + ENDING_ELSEWHERE_MS; ; ) {
    const session = await findUploadSession(registry.database.sql, id, imageId);
    if (!session) throw unknownUpload(id);
    if (running !== null || !session.isHeld || Date.now() > deadline) break;
    await sleep(RETRY_MS);
  }
  const told = await tellUploadSize(registry.database.sql, { id, imageId, received: running });
  if (told === null) throw unknownUpload(id);
  return told;
}

/** The connection may just have broken, and the gateway that held it is about to write down how far it came. */
const ENDING_ELSEWHERE_MS = 1_000;
const RETRY_MS = 25;

/** Goes on with an upload; returns the bytes received so far. */
export async function appendToUpload(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  id: string,
  chunk: Chunk,
): Promise<number> {
  const imageId = await imageOfUpload(registry, principal, image, id);
  const upload = await registry.uploads.hold(id, imageId, chunk);
  try {
    await receiveChunk(upload, chunk, mostBytes(registry));
    upload.told();
    return upload.size;
  } finally {
    await upload.release();
  }
}

/**
 * Takes the last bytes, if there are any, and makes a blob of all of them: when this resolves it is durable, and every
 * gateway sees it. Throws `digest-invalid` when they have another digest; then nothing of the upload is left.
 */
export async function finishUpload(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  id: string,
  address: Address,
  chunk: Chunk,
): Promise<void> {
  const pushed = await requirePushAccess(registry, principal, image);
  requireUuid(id);
  await finish(registry, pushed, id, address, chunk);
}

/** A whole blob in one request; nothing is left of it when it fails. */
export async function uploadBlob(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  address: Address,
  chunk: Chunk,
): Promise<void> {
  const pushed = await requirePushAccess(registry, principal, image);
  if (isSmall(chunk)) {
    const blob = await new SmallBody(chunk, mostBytes(registry)).store(registry, address);
    if (!blob) throw wrongDigest(address);
    await name(registry, pushed, address, blob, null);
    return;
  }
  const id = await openSession(registry, principal, pushed);
  try {
    await finish(registry, pushed, id, address, chunk);
  } catch (error) {
    const upload = await registry.uploads.hold(id, pushed.imageId, chunk).catch(() => null);
    await upload?.discard();
    throw error;
  }
}

/** Throws `blob-upload-unknown`. A request that is just writing is stopped. */
export async function cancelUpload(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  id: string,
): Promise<void> {
  const imageId = await imageOfUpload(registry, principal, image, id);
  const upload = await registry.uploads.hold(id, imageId, { arrivedAt: performance.now(), range: null });
  await upload.discard();
}

async function finish(
  registry: Registry,
  pushed: PushedImage,
  id: string,
  address: Address,
  chunk: Chunk,
): Promise<void> {
  const most = mostBytes(registry);
  if (registry.uploads.isRunning(id) || !isWholeBlob(chunk, most)) {
    return await finishHeld(registry, pushed, id, address, chunk);
  }
  const body = new SmallBody(chunk, most);
  const blob = await body.store(registry, address).catch((error: unknown) => {
    if (!body.isBroken) throw error;
    return null;
  });
  if (blob && (await nameFresh(registry, pushed, address, blob, id))) return;
  // It was the end of a larger one, or is not what it should be.
  await finishHeld(registry, pushed, id, address, { ...chunk, body: body.again(), isOnlyOurs: false });
}

async function finishHeld(
  registry: Registry,
  pushed: PushedImage,
  id: string,
  address: Address,
  chunk: Chunk,
): Promise<void> {
  const upload = await registry.uploads.hold(id, pushed.imageId, chunk);
  try {
    const blob = await complete(registry, upload, address, chunk);
    if (!blob) {
      await upload.discard();
      throw wrongDigest(address);
    }
    await name(registry, pushed, address, blob, id);
    upload.finished();
    await registry.staged.remove(upload.name);
  } finally {
    await upload.release();
  }
}

/** The blob, durable; null: the bytes are not those of the address. */
async function complete(
  registry: Registry,
  upload: HeldUpload,
  address: Address,
  chunk: Chunk,
): Promise<StoredBlob | null> {
  if (upload.size === 0 && isSmall(chunk)) {
    if (chunk.range && chunk.range.first !== 0) {
      throw rangeInvalid(0, 'the chunk does not begin where the upload ends');
    }
    return await new SmallBody(chunk, mostBytes(registry), upload.signal).store(registry, address);
  }
  if (chunk.contentLength !== 0) await receiveChunk(upload, chunk, mostBytes(registry));
  const gone = (error: unknown): never => {
    throw error instanceof NotFoundError ? unknownUpload(upload.id) : error;
  };
  const hash =
    upload.hashFor(algorithmOf(address)) ?? (await hashAgain(registry, upload, address).catch(gone));
  const blob = hash.finish(address);
  if (!blob) return null;
  if (blob.size === 0) return await registry.blobs.write(new Uint8Array());
  await registry.staged.commit(upload.name, blob).catch(gone);
  return blob;
}

async function hashAgain(registry: Registry, upload: HeldUpload, address: Address): Promise<UploadHash> {
  const hash = new UploadHash(algorithmOf(address));
  const bytes = registry.staged.read(upload.name, upload.size);
  upload.signal.addEventListener('abort', () => bytes.destroy(upload.signal.reason), { once: true });
  for await (const piece of bytes as AsyncIterable<Buffer>) {
    hash.update(piece);
    releaseBuffers([piece]);
  }
  return hash;
}

/** Makes the blob visible in the image, and ends the upload with it. */
async function name(
  registry: Registry,
  pushed: PushedImage,
  address: Address,
  blob: StoredBlob,
  uploadId: string | null,
): Promise<void> {
  await requireWithinQuota(registry, pushed, blob.size);
  const sha512 = isDigest(address) ? null : address;
  await addImageBlob(registry.database.sql, { imageId: pushed.imageId, blob, sha512, uploadId });
}

/** The same for an upload that nothing has come for yet. False: it is not such a one, and nothing has changed. */
async function nameFresh(
  registry: Registry,
  pushed: PushedImage,
  address: Address,
  blob: StoredBlob,
  uploadId: string,
): Promise<boolean> {
  await requireWithinQuota(registry, pushed, blob.size);
  const sha512 = isDigest(address) ? null : address;
  const added = { imageId: pushed.imageId, blob, sha512, uploadId };
  const ended = await addImageBlobOfFreshUpload(registry.database.sql, added);
  if (ended) await registry.uploads.forget(uploadId, ended);
  return ended !== null;
}

/** Throws `quota-exceeded`. */
export async function requireWithinQuota(
  { database }: Registry,
  { repositoryId, quota, image }: PushedImage,
  bytes: number,
): Promise<void> {
  if (quota === null) return;
  if ((await bytesOfRepository(database.sql, repositoryId)) + bytes <= quota) return;
  throw new RegistryError(
    'quota-exceeded',
    `Exceeded repository [${image.repository}] quota value [${quota}]`,
    {
      details: { repository: image.repository, quota },
    },
  );
}

async function openSession(
  { database }: Registry,
  { userId }: RegistryPrincipal,
  { imageId }: PushedImage,
): Promise<string> {
  const id = randomUUID();
  await insertUploadSession(database.sql, { id, imageId, userId });
  return id;
}

/** Id of the image. Throws `blob-upload-unknown` also where there is no such image. */
async function imageOfUpload(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  id: string,
): Promise<number> {
  requireUuid(id);
  const { imageId } = await requireRegistryAccess(registry, principal, image, 'push');
  if (imageId === null) throw unknownUpload(id);
  return imageId;
}

function requireUuid(id: string): void {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) throw unknownUpload(id.slice(0, 100));
}

function mostBytes({ settings }: Registry): number {
  return settings.registryBlobBytes ?? Number.MAX_SAFE_INTEGER;
}

function wrongDigest(address: Address): RegistryError {
  return new RegistryError('digest-invalid', 'the bytes have another digest', {
    details: { digest: address },
  });
}
