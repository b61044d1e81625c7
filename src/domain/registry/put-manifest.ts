import type { Transaction } from '../database/database.ts';
import { addImageBlob, keepBlob } from '../database/sql/image-blobs.ts';
import {
  adoptReferrers,
  type BlobReference,
  type ChildReference,
  findManifests,
  insertManifest,
  insertManifestReferences,
  moveTags,
  nameImageBlobs,
  recordImageEvent,
} from '../database/sql/registry-manifests.ts';
import type { Digest, StoredBlob } from '../storage/blob-store.ts';
import type { RegistryPrincipal } from './access.ts';
import { noteAttachedSbom } from './attached-sboms.ts';
import { EMPTY_LAYER, storeEmptyLayer } from './blobs.ts';
import { RegistryError } from './errors.ts';
import type { ImageName } from './image-name.ts';
import {
  type Descriptor,
  isDistributed,
  type ManifestDocument,
  type Platform,
  parseManifest,
  platformOf,
} from './manifest-document.ts';
import { type PushedImage, requirePushAccess } from './push-access.ts';
import { type Address, addressOf, algorithmOf, isDigest, type Reference } from './reference.ts';
import type { Registry } from './registry.ts';

export interface PushedManifest {
  /** By which it is known: that of the reference, else its sha256. */
  address: Address;
  subject: Address | null;
  tags: string[];
}

/**
 * Takes a manifest as it is, byte for byte (oci-registry.md 6). When this resolves it is durable, and every gateway sees
 * it. Throws `manifest-invalid`, `manifest-blob-unknown`, `digest-invalid`.
 */
export async function putManifest(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  pushed: NewManifest,
): Promise<PushedManifest> {
  return await storeManifest(
    registry,
    principal,
    await requirePushAccess(registry, principal, image),
    pushed,
  );
}

export interface NewManifest {
  reference: Reference;
  tags: readonly string[];
  bytes: Buffer;
  contentType: string | null;
  /** Whether parts of an index may be missing; false if absent. */
  isSparse?: boolean;
}

/** The same, for an image that may be pushed to. */
export async function storeManifest(
  registry: Registry,
  principal: RegistryPrincipal,
  access: PushedImage,
  pushed: NewManifest,
): Promise<PushedManifest> {
  const { reference, bytes, isSparse = false } = pushed;
  const address = 'tag' in reference ? addressOf(bytes, 'sha256') : reference.address;
  if (addressOf(bytes, algorithmOf(address)) !== address) {
    throw new RegistryError('digest-invalid', 'the manifest has another digest', {
      details: { digest: address },
    });
  }
  const document = parseManifest(bytes, pushed.contentType);
  const tags = [...new Set([...('tag' in reference ? [reference.tag] : []), ...pushed.tags])];
  await storeCopies(registry, access, document);
  const platform = await platformOfImage(registry, access, document);
  const blob = await registry.blobs.write(bytes);
  await registry.database.transaction(async (tx) => {
    const row = { access, principal, document, blob, address, tags, platform, isSparse };
    await record(tx, row);
  });
  registry.contents.keep(blob.digest, bytes);
  return { address, subject: document.subject, tags };
}

interface Recorded {
  access: PushedImage;
  principal: RegistryPrincipal;
  document: ManifestDocument;
  blob: StoredBlob;
  address: Address;
  tags: string[];
  platform: Platform;
  isSparse: boolean;
}

async function record(
  { sql }: Transaction,
  { access, principal, document, blob, address, tags, platform, isSparse }: Recorded,
): Promise<void> {
  const { imageId } = access;
  const { userId } = principal;
  const { mediaType, config, subject, artifactType, annotations } = document;
  await recordImageEvent(sql, {
    imageId,
    type: 'pushed',
    data: { digest: blob.digest, mediaType, tags, subject },
    userId,
  });
  await keepBlob(sql, blob);
  const references = await resolveReferences({ sql }, imageId, document, isSparse);
  const sha512 = isDigest(address) ? null : address;
  const { id, isNew } = await insertManifest(sql, {
    imageId,
    digest: blob.digest,
    sha512,
    mediaType,
    size: blob.size,
    artifactType,
    annotations,
    subject,
    configDigest: config?.address ?? null,
    configMediaType: config?.mediaType ?? null,
    ...platform,
    userId,
  });
  if (isNew) await insertManifestReferences(sql, id, references.blobs, references.children);
  await noteAttachedSbom(sql, id, document);
  await adoptReferrers(sql, imageId, sha512 === null ? [blob.digest] : [blob.digest, sha512]);
  await moveTags(sql, { imageId, manifestId: id, tags, userId });
}

/** Throws `manifest-blob-unknown`, which lists what is not here. From here on the collector leaves alone what is. */
async function resolveReferences(
  { sql }: Pick<Transaction, 'sql'>,
  imageId: number,
  document: ManifestDocument,
  isSparse: boolean,
): Promise<{ blobs: BlobReference[]; children: ChildReference[] }> {
  const { config, layers, children } = document;
  const manifests =
    children.length > 0 ? await findManifests(sql, imageId, addressesOf(children)) : new Map();
  // A build cache is an index of blobs.
  const asBlobs = isSparse ? [] : children.filter((child) => !manifests.has(child.address));
  const content = [...(config ? [config] : []), ...layers, ...asBlobs];
  const present = await nameImageBlobs(sql, imageId, addressesOf(content));
  const missing = content.filter(
    (one) => !present.has(one.address) && (isDistributed(one) || !layers.includes(one)),
  );
  if (missing.length > 0) throw unknownReferences(missing);
  return {
    blobs: content.map((one) => ({
      role: one === config ? 'config' : 'layer',
      address: one.address,
      digest: present.get(one.address) ?? null,
      mediaType: one.mediaType,
      size: one.size,
    })),
    children: children.flatMap((child) => {
      const { address, mediaType, size, platform } = child;
      const digest = manifests.get(address)?.digest ?? (isSparse && isDigest(address) ? address : null);
      if (digest === null) return [];
      return [{ address, mediaType, size, digest, ...(platform ?? NO_PLATFORM) }];
    }),
  };
}

const NO_PLATFORM: Platform = { os: null, architecture: null, variant: null };
const MOST_LISTED = 100;

function unknownReferences(missing: readonly Descriptor[]): RegistryError {
  const digests = [...new Set(addressesOf(missing))];
  return new RegistryError('manifest-blob-unknown', 'the manifest refers to what is not here', {
    details: { digests: digests.slice(0, MOST_LISTED) },
  });
}

/** Content that the manifest brings along, and the layer that old clients never push. */
async function storeCopies(
  registry: Registry,
  { imageId }: PushedImage,
  { config, layers }: ManifestDocument,
): Promise<void> {
  if (layers.some((layer) => layer.address === EMPTY_LAYER.digest)) await storeEmptyLayer(registry, imageId);
  for (const { address, data } of config ? [config, ...layers] : layers) {
    if (data === null || addressOf(data, algorithmOf(address)) !== address) continue;
    const blob = await registry.blobs.write(data);
    const sha512 = isDigest(address) ? null : address;
    await addImageBlob(registry.database.sql, { imageId, blob, sha512, uploadId: null });
  }
}

const IMAGE_CONFIG = new Set([
  'application/vnd.oci.image.config.v1+json',
  'application/vnd.docker.container.image.v1+json',
]);
const MOST_CONFIG_BYTES = 4 * 1024 * 1024;

/** From the config of an image; what cannot be read there is not known. */
async function platformOfImage(
  registry: Registry,
  access: PushedImage,
  { config }: ManifestDocument,
): Promise<Platform> {
  if (!config || !IMAGE_CONFIG.has(config.mediaType) || config.size > MOST_CONFIG_BYTES) return NO_PLATFORM;
  const digest = await digestIn(registry, access, config.address);
  if (digest === null) return NO_PLATFORM;
  try {
    const value = JSON.parse((await registry.blobs.readWhole(digest, MOST_CONFIG_BYTES)).toString('utf8'));
    return typeof value === 'object' && value !== null ? platformOf(value) : NO_PLATFORM;
  } catch {
    return NO_PLATFORM;
  }
}

/** Only what the image has: nobody learns of a config that they may not read. */
async function digestIn(
  { lookups }: Registry,
  { image }: PushedImage,
  address: Address,
): Promise<Digest | null> {
  const { project, isByName = false, repository, path } = image;
  const question = {
    project,
    isByName,
    repository,
    path,
    blob: address,
    userId: null,
    tokenId: null,
    tag: null,
  };
  const { blob } = await lookups.find({ ...question, manifest: null });
  return blob?.digest ?? null;
}

function addressesOf(descriptors: readonly Descriptor[]): Address[] {
  return descriptors.map((one) => one.address);
}
