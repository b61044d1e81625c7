import { touchManifest } from '../database/sql/discarded-manifests.ts';
import { deleteManifest, deleteTag, recordImageEvent } from '../database/sql/registry-manifests.ts';
import type { FoundManifest } from '../database/sql/resolve-images.ts';
import { NotFoundError } from '../errors.ts';
import {
  type AccessedImage,
  mayUse,
  type RegistryPrincipal,
  requireRegistryAccess,
  unknownName,
} from './access.ts';
import { RegistryError } from './errors.ts';
import type { ImageName } from './image-name.ts';
import type { Address, Reference } from './reference.ts';
import type { Registry } from './registry.ts';

/** A manifest that the principal may read. */
export interface ReadableManifest extends FoundManifest {
  /** As the client knows it: the digest that it asked for, or that it was pushed by. */
  address: Address;
}

/** Throws `manifest-unknown`, and as {@link requireRegistryAccess}. `reference` null: it cannot name anything. */
export async function findManifest(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  reference: Reference | null,
): Promise<ReadableManifest> {
  const found = await requireRegistryAccess(registry, principal, image, 'pull', wanted(reference));
  const { manifest, imageId } = found;
  if (imageId === null) throw unknownName(image);
  if (!manifest) throw unknownManifest(reference);
  if (manifest.isStale && mayUse(registry, principal, 'push', found)) {
    // Whoever pushes an index will not push this part of it now. If the collector was first, they must.
    if (!(await touchManifest(registry.database.sql, manifest.id))) throw unknownManifest(reference);
  }
  const address =
    reference && 'address' in reference ? reference.address : (manifest.sha512 ?? manifest.digest);
  return { ...manifest, address: address as Address };
}

/** The bytes, counted as a pull (bkrepo-docker.md 3.1). */
export async function pullManifest(
  registry: Registry,
  manifest: FoundManifest,
  reference: Reference | null,
): Promise<Buffer> {
  registry.pulls.record(manifest.id, reference && 'tag' in reference ? reference.tag : null);
  try {
    return registry.contents.kept(manifest.digest) ?? (await registry.contents.read(manifest.digest));
  } catch (error) {
    // Found damaged and set aside: whoever pushes it again makes it whole.
    throw error instanceof NotFoundError ? unknownManifest(reference) : error;
  }
}

/**
 * By tag only the tag goes; by digest the manifest, with all its tags and its place among the referrers of its subject
 * (oci-registry.md 9).
 */
export async function removeManifest(
  registry: Registry,
  principal: RegistryPrincipal,
  image: ImageName,
  reference: Reference | null,
): Promise<void> {
  const access = await requireRegistryAccess(registry, principal, image, 'delete', wanted(reference));
  if (access.imageId === null) throw unknownName(image);
  if (!access.manifest || !reference) throw unknownManifest(reference);
  const { imageId } = access as AccessedImage & { imageId: number };
  const { userId } = principal;
  await registry.database.transaction(async ({ sql }) => {
    const { digest } = access.manifest!;
    if ('tag' in reference) {
      const data = { tag: reference.tag, digest };
      await recordImageEvent(sql, { imageId, type: 'tag-deleted', data, userId });
      if ((await deleteTag(sql, imageId, reference.tag)) === null) throw unknownManifest(reference);
    } else {
      await recordImageEvent(sql, { imageId, type: 'manifest-deleted', data: { digest }, userId });
      if (!(await deleteManifest(sql, imageId, reference.address))) throw unknownManifest(reference);
    }
  });
}

function wanted(reference: Reference | null): { tag?: string; manifest?: string } {
  if (reference === null) return {};
  return 'tag' in reference ? { tag: reference.tag } : { manifest: reference.address };
}

function unknownManifest(reference: Reference | null): RegistryError {
  const details =
    reference === null ? {} : 'tag' in reference ? { tag: reference.tag } : { digest: reference.address };
  return new RegistryError('manifest-unknown', 'there is no such manifest here', { details });
}
