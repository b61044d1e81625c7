import { createHash } from 'node:crypto';
import type { Settings } from '../config.ts';
import { ensureImage, ensureProject } from '../database/sql/ensure-image.ts';
import { addImageBlob } from '../database/sql/image-blobs.ts';
import {
  ensureUpstreamRepository,
  isManifestWhole,
  shareUpstreamBlobs,
} from '../database/sql/upstream-images.ts';
import { ConflictError } from '../errors.ts';
import { SYSTEM } from '../identity/principal.ts';
import type { Digest, StoredBlob } from '../storage/blob-store.ts';
import { lookUp } from './access.ts';
import { type ImageName, parseImageName } from './image-name.ts';
import type { PushedImage } from './push-access.ts';
import { type PushedManifest, storeManifest } from './put-manifest.ts';
import type { Registry } from './registry.ts';

/**
 * Copies of images of other registries, in a project of their own: `<project>/<host>/<path>`. They are what was pulled,
 * manifests byte for byte; an index may be there with the parts of some platforms only.
 */

/** A manifest that is here. */
export interface CachedManifest {
  digest: Digest;
  mediaType: string;
  bytes: Buffer;
}

/** What nobody has pulled for so long goes. */
const RETENTION = { keepPulledDays: 90, keepDays: 90, untaggedDays: 30 };
const LONGEST_REPOSITORY = 64;

/** Where the copy of an image lies. Throws RegistryError `name-invalid`. */
export function nameOfCopy(
  settings: Pick<Settings, 'imageCacheProject' | 'registryDefaultProject' | 'registryDefaultRepository'>,
  { host, path }: { host: string; path: string },
): ImageName {
  return parseImageName(`${settings.imageCacheProject}/${repositoryOf(host)}/${path}`, settings);
}

/** A port is told by what no name of a host has. */
function repositoryOf(host: string): string {
  const name = host.toLowerCase().replace(':', '__');
  if (name.length <= LONGEST_REPOSITORY) return name;
  return `host-${createHash('sha256').update(name).digest('hex').slice(0, 40)}`;
}

/** Makes what is missing. Throws ConflictError when the place is taken by something else. */
export async function ensureCopy(registry: Registry, image: ImageName, host: string): Promise<PushedImage> {
  const { project, repository, name, path } = image;
  const ids = await registry.database.transaction(async ({ sql }) => {
    const projectId = await ensureProject(sql, project, null);
    const found =
      projectId !== null &&
      (await ensureUpstreamRepository(sql, {
        projectId,
        name: repository,
        upstream: host,
        retention: RETENTION,
      }));
    if (projectId === null || !found || found.upstream !== host) {
      throw new ConflictError(
        `The repository ${project}/${repository} is in use: STOWAGE_IMAGE_CACHE_PROJECT must name a project for copies of base images`,
      );
    }
    const repositoryId = found.id;
    return {
      projectId,
      repositoryId,
      imageId: await ensureImage(sql, { repositoryId, name, path, userId: null }),
    };
  });
  return { ...(await lookUp(registry, SYSTEM, image)), ...ids, image };
}

/** null: it is not here, or not whole. */
export async function findCopy(
  registry: Registry,
  copy: PushedImage,
  reference: { tag: string } | { digest: Digest },
): Promise<CachedManifest | null> {
  const wanted = 'tag' in reference ? { tag: reference.tag } : { manifest: reference.digest };
  const { manifest } = await lookUp(registry, SYSTEM, copy.image, wanted);
  if (!manifest || !(await isManifestWhole(registry.database.sql, copy.imageId, manifest.digest)))
    return null;
  const { digest, mediaType } = manifest;
  return { digest, mediaType, bytes: await registry.contents.read(digest) };
}

/** Those of the blobs that are in the copy afterwards, without fetching anything. */
export async function blobsOfCopies(
  { database }: Registry,
  { imageId }: PushedImage,
  digests: readonly Digest[],
): Promise<ReadonlySet<string>> {
  return await shareUpstreamBlobs(database.sql, imageId, digests);
}

/** A blob that is durable in the store. */
export async function addBlobToCopy(
  { database }: Registry,
  { imageId }: PushedImage,
  blob: StoredBlob,
): Promise<void> {
  await addImageBlob(database.sql, { imageId, blob, sha512: null, uploadId: null });
}

/** As a push does it, except that the parts of an index need not be there. */
export async function addManifestToCopy(
  registry: Registry,
  copy: PushedImage,
  added: { digest: Digest; mediaType: string; bytes: Buffer; tag: string | null },
): Promise<PushedManifest> {
  const { digest, mediaType, bytes, tag } = added;
  return await storeManifest(registry, SYSTEM, copy, {
    reference: { address: digest },
    tags: tag === null ? [] : [tag],
    bytes,
    contentType: mediaType,
    isSparse: true,
  });
}
