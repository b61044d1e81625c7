import {
  countImagePackages,
  countImageVersions,
  findImagePackage,
  findImageVersion,
  findNamedBlob,
  type ImagePackage,
  type ImageVersion,
  listImagePackages,
  listImageVersions,
} from '../database/sql/image-packages.ts';
import { InvalidInputError, NotFoundError } from '../errors.ts';
import type { Digest } from '../storage/blob-store.ts';
import { lookUp, type RegistryAction, type RegistryPrincipal } from './access.ts';
import { RegistryError } from './errors.ts';
import type { RepositoryName } from './management.ts';
import { type Address, parseReference, type Reference } from './reference.ts';
import type { Registry } from './registry.ts';
import { imageIn, requireRepositoryAccess } from './repository-access.ts';

/** Pages count from 1; 0 is the first one too (bkrepo-docker.md 0.5). */
export interface NumberedPage {
  page: number;
  size: number;
}

export interface PageOf<Row> {
  rows: Row[];
  /** Of all pages. */
  total: number;
}

/** Of one answer, whatever was asked for. */
const MOST_ROWS = 10_000;

/** Images by name (bkrepo-docker.md 1.4). `name`: a part of it, where `*` stands for anything. */
export async function listPackages(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  { name, ...page }: NumberedPage & { name: string | null },
): Promise<PageOf<ImagePackage>> {
  const { repositoryId } = await requireRepositoryAccess(registry, principal, repository, 'pull');
  const { sql } = registry.database;
  const pattern = name ? patternOf(name) : null;
  return {
    total: await countImagePackages(sql, repositoryId, pattern),
    rows: await listImagePackages(sql, repositoryId, { name: pattern, ...offsetOf(page) }),
  };
}

/** null: there is no such image, or it has no tag. */
export async function findPackage(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  name: string,
): Promise<ImagePackage | null> {
  const { repositoryId } = await requireRepositoryAccess(registry, principal, repository, 'pull');
  return await findImagePackage(registry.database.sql, repositoryId, name);
}

/** Tags by name (bkrepo-docker.md 1.5); none of an image that is not there. */
export async function listVersions(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  image: string,
  { name, stages, ...page }: NumberedPage & { name: string | null; stages: readonly string[] | null },
): Promise<PageOf<ImageVersion>> {
  const imageId = await findImageId(registry, principal, repository, image);
  if (imageId === null) return { rows: [], total: 0 };
  const { sql } = registry.database;
  const filter = { name: name || null, stages };
  return {
    total: await countImageVersions(sql, imageId, filter),
    rows: await listImageVersions(sql, imageId, filter, offsetOf(page)),
  };
}

/** null: there is no such image or tag. `tag` null: `latest`, else the one that was pushed last. */
export async function findVersion(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  image: string,
  tag: string | null,
): Promise<ImageVersion | null> {
  const imageId = await findImageId(registry, principal, repository, image);
  return imageId === null ? null : await findImageVersion(registry.database.sql, imageId, tag);
}

export interface StoredManifest {
  digest: Digest;
  mediaType: string;
  /** Its bytes as they were pushed. */
  text: string;
}

/** By tag or digest; not counted as a pull. null: there is no such manifest. */
export async function readManifestText(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  image: string,
  reference: string,
): Promise<StoredManifest | null> {
  await requireRepositoryAccess(registry, principal, repository, 'pull');
  const wanted = wantedBy(reference);
  if (wanted === null) return null;
  const { manifest } = await lookUp(registry, principal, imageIn(repository, image), wanted);
  if (!manifest) return null;
  const bytes = await registry.contents.read(manifest.digest).catch((error: unknown) => {
    if (!(error instanceof NotFoundError)) throw error;
    throw new RegistryError('blob-unknown', 'the bytes of this manifest are not there', { cause: error });
  });
  return { digest: manifest.digest, mediaType: manifest.mediaType, text: bytes.toString('utf8') };
}

/** null: no manifest of this image names such a blob, whatever else is in the repository (bkrepo-docker.md 1.3). */
export async function findLayer(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  image: string,
  address: Address,
): Promise<{ digest: Digest; size: number } | null> {
  const imageId = await findImageId(registry, principal, repository, image);
  return imageId === null ? null : await findNamedBlob(registry.database.sql, imageId, address);
}

/** For packages and versions of a repository: its id is looked at, then that of the image. */
export async function findImageId(
  registry: Registry,
  principal: RegistryPrincipal,
  repository: RepositoryName,
  image: string,
  action: RegistryAction = 'pull',
): Promise<number | null> {
  await requireRepositoryAccess(registry, principal, repository, action);
  return (await lookUp(registry, principal, imageIn(repository, image))).imageId;
}

function wantedBy(text: string): { tag: string } | { manifest: string } | null {
  let reference: Reference | null;
  try {
    reference = parseReference(text);
  } catch {
    // Something with a colon that is no digest.
    return null;
  }
  if (reference === null) return null;
  return 'tag' in reference ? reference : { manifest: reference.address };
}

function patternOf(name: string): string {
  return `%${name.replaceAll(/[\\%_]/g, '\\$&').replaceAll('*', '%')}%`;
}

/** Throws InvalidInputError. */
export function offsetOf({ page, size }: NumberedPage): { offset: number; limit: number } {
  if (page < 0 || size < 1) throw new InvalidInputError('Pages count from 1, and have a row at least');
  const limit = Math.min(size, MOST_ROWS);
  return { limit, offset: (Math.max(page, 1) - 1) * limit };
}
