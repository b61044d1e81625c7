import {
  addImageBlob,
  mountImageBlob,
  removeImageBlob,
  touchImageBlob,
} from '../database/sql/image-blobs.ts';
import { findReadableBlob } from '../database/sql/readable-repositories.ts';
import type { Digest } from '../storage/blob-store.ts';
import {
  type AccessedImage,
  lookUp,
  mayUse,
  type RegistryPrincipal,
  requireRegistryAccess,
  unknownName,
} from './access.ts';
import { RegistryError } from './errors.ts';
import { type ImageName, isImageName, parseImageName } from './image-name.ts';
import { requirePushAccess } from './push-access.ts';
import { readerOf } from './reader.ts';
import type { Address } from './reference.ts';
import type { Registry } from './registry.ts';
import { requireWithinQuota } from './uploads.ts';

/** A blob that an image has, and that the principal may read. */
export interface ReadableBlob {
  /** Where it lies in the store. */
  digest: Digest;
  size: number;
  /** Bytes that are not in the store. */
  content?: Buffer;
}

/** Throws `blob-unknown`, and as {@link requireRegistryAccess}. */
export async function findBlob(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  address: Address,
): Promise<ReadableBlob> {
  const found = await requireRegistryAccess(registry, principal, image, 'pull', { blob: address });
  const { blob, imageId } = found;
  if (!blob) {
    if (address === EMPTY_LAYER.digest) return EMPTY_LAYER;
    if (imageId === null) throw unknownName(image);
    throw unknownBlob(address);
  }
  if (blob.isStale && mayUse(registry, principal, 'push', found)) {
    // Whoever pushes will not upload it now. If the collector was first, they must.
    const isThere = await touchImageBlob(registry.database.sql, imageId!, blob.digest);
    if (!isThere) throw unknownBlob(address);
  }
  return { digest: blob.digest, size: blob.size };
}

/**
 * Makes a blob of another image visible here, if the principal may read it there; without `from`, of any image. False: it
 * must be uploaded. Nobody learns whether there is a blob that they may not read.
 */
export async function mountBlob(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  address: Address,
  from: string | null,
): Promise<boolean> {
  const pushed = await requirePushAccess(registry, principal, image);
  const digest = await findMountable(registry, principal, pushed, address, from);
  if (digest === null) return false;
  if (pushed.quota !== null) {
    await requireWithinQuota(registry, pushed, (await registry.blobs.size(digest)) ?? 0);
  }
  return await mountImageBlob(registry.database.sql, pushed.imageId, digest);
}

/** Ends the visibility of a blob in one image. Its bytes stay for as long as anything else needs them. */
export async function deleteBlob(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  address: Address,
): Promise<void> {
  const { blob, imageId } = await requireRegistryAccess(registry, principal, image, 'delete', {
    blob: address,
  });
  if (imageId === null) throw unknownName(image);
  if (!blob || !(await removeImageBlob(registry.database.sql, imageId, blob.digest))) {
    throw unknownBlob(address);
  }
}

async function findMountable(
  registry: Registry,
  principal: RegistryPrincipal,
  pushed: AccessedImage,
  address: Address,
  from: string | null,
): Promise<Digest | null> {
  if (from === null) {
    const reader = readerOf(registry, principal, pushed);
    return (await findReadableBlob(registry.database.sql, reader, address)) as Digest | null;
  }
  // A source with a name that cannot be is one that is not there.
  if (!isImageName(from)) return null;
  const source = await lookUp(registry, principal, parseImageName(from, registry.settings), {
    blob: address,
  });
  return source.blob && mayUse(registry, principal, 'pull', source) ? source.blob.digest : null;
}

/** Makes sure that the layer which old clients take for granted is really there. */
export async function storeEmptyLayer(registry: Registry, imageId: number): Promise<void> {
  const blob = await registry.blobs.write(EMPTY_LAYER.content);
  await addImageBlob(registry.database.sql, { imageId, blob, sha512: null, uploadId: null });
}

/** A gzipped tar archive without entries: old docker clients refer to it without ever pushing it. */
export const EMPTY_LAYER = {
  digest: 'sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4',
  size: 32,
  content: Buffer.from('1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000', 'hex'),
} as const;

function unknownBlob(address: Address): RegistryError {
  return new RegistryError('blob-unknown', 'there is no such blob here', { details: { digest: address } });
}
