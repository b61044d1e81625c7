import { listImageComponents } from '../database/sql/image-components.ts';
import {
  countImageRows,
  findImageByPath,
  type Image,
  type ImageFilter,
  listImageRows,
  storeDigestOf,
} from '../database/sql/image-rows.ts';
import {
  countManifestRows,
  findManifestRow,
  listManifestRows,
  type Manifest,
  type ManifestFilter,
} from '../database/sql/manifest-rows.ts';
import {
  countRepositories,
  findRepositoryByName,
  listRepositories,
  type Repository,
  type RepositoryFilter,
} from '../database/sql/repository-rows.ts';
import type { TextRange } from '../database/sql/text-range.ts';
import { InvalidInputError } from '../errors.ts';
import { type ComponentQuery, componentIds } from '../packages/search-components.ts';
import type { RegistryPrincipal } from './access.ts';
import type { RepositoryName } from './management.ts';
import { findReader } from './reader.ts';
import { isAddress, parseReference } from './reference.ts';
import type { Registry } from './registry.ts';

/**
 * Reads for those who look around: everything that the principal may pull, nothing else. What they must not see is as if
 * it were not there.
 */

export async function browseRepositories(
  registry: Registry,
  principal: RegistryPrincipal,
  filter: Partial<RepositoryFilter>,
  range: TextRange,
): Promise<Repository[]> {
  const reader = await findReader(registry, principal);
  return await listRepositories(registry.database.sql, reader, { ...ANY_REPOSITORY, ...filter }, range);
}

/** null: there is none, or the principal must not know of it. */
export async function findBrowsedRepository(
  registry: Registry,
  principal: RegistryPrincipal,
  { project, name }: RepositoryName,
): Promise<Repository | null> {
  const reader = await findReader(registry, principal);
  return await findRepositoryByName(registry.database.sql, reader, project, name);
}

export async function countBrowsedRepositories(
  registry: Registry,
  principal: RegistryPrincipal,
  filter: Partial<RepositoryFilter>,
): Promise<number> {
  const reader = await findReader(registry, principal);
  return await countRepositories(registry.database.sql, reader, { ...ANY_REPOSITORY, ...filter });
}

const ANY_REPOSITORY: RepositoryFilter = { project: null, name: null, type: null };

/** What to look for in images: a config or layer, or a package of an SBOM that is attached to them. */
interface ContentFilter {
  layer?: string | null | undefined;
  component?: ComponentQuery | null | undefined;
}

export type ImageSearch = ContentFilter & Partial<Omit<ImageFilter, 'blob'>>;
export type ManifestSearch = ContentFilter & Partial<Omit<ManifestFilter, 'blob'>>;

/** By path. */
export async function browseImages(
  registry: Registry,
  principal: RegistryPrincipal,
  search: ImageSearch,
  range: TextRange,
): Promise<Image[]> {
  const reader = await findReader(registry, principal);
  return await listImageRows(registry.database.sql, reader, await imageFilter(registry, search), range);
}

export async function countBrowsedImages(
  registry: Registry,
  principal: RegistryPrincipal,
  search: ImageSearch,
): Promise<number> {
  const reader = await findReader(registry, principal);
  return await countImageRows(registry.database.sql, reader, await imageFilter(registry, search));
}

/** null: there is none, or the principal must not know of it. */
export async function findBrowsedImage(
  registry: Registry,
  principal: RegistryPrincipal,
  path: string,
): Promise<Image | null> {
  return await findImageByPath(registry.database.sql, await findReader(registry, principal), path);
}

/** Newest first. */
export async function browseManifests(
  registry: Registry,
  principal: RegistryPrincipal,
  search: ManifestSearch,
  range: Parameters<typeof listManifestRows>[3],
): Promise<Manifest[]> {
  const reader = await findReader(registry, principal);
  return await listManifestRows(registry.database.sql, reader, await manifestFilter(registry, search), range);
}

export async function countBrowsedManifests(
  registry: Registry,
  principal: RegistryPrincipal,
  search: ManifestSearch,
): Promise<number> {
  const reader = await findReader(registry, principal);
  return await countManifestRows(registry.database.sql, reader, await manifestFilter(registry, search));
}

/** Of an image that the principal may see; by tag or digest. */
export async function findBrowsedManifest(
  registry: Registry,
  image: Pick<Image, 'id'>,
  reference: string,
): Promise<Manifest | null> {
  const parsed = parseReference(reference);
  return parsed === null ? null : await findManifestRow(registry.database.sql, image.id, parsed);
}

const ANY_IMAGE: ImageFilter = {
  project: null,
  repository: null,
  repositoryId: null,
  name: null,
  blob: null,
  components: null,
};

const ANY_MANIFEST: ManifestFilter = {
  imageId: null,
  mediaType: null,
  artifactType: null,
  os: null,
  architecture: null,
  isTagged: null,
  blob: null,
  components: null,
};

async function imageFilter(
  registry: Registry,
  { layer, component, ...filter }: ImageSearch,
): Promise<ImageFilter> {
  return { ...ANY_IMAGE, ...filter, ...(await contentFilter(registry, { layer, component })) };
}

async function manifestFilter(
  registry: Registry,
  { layer, component, ...filter }: ManifestSearch,
): Promise<ManifestFilter> {
  return { ...ANY_MANIFEST, ...filter, ...(await contentFilter(registry, { layer, component })) };
}

async function contentFilter(
  { database: { sql } }: Registry,
  { layer, component }: ContentFilter,
): Promise<Partial<Pick<ImageFilter, 'blob' | 'components'>>> {
  if (layer != null && !isAddress(layer)) {
    throw new InvalidInputError(`"${layer.slice(0, 80)}" is not a digest of sha256 or sha512`);
  }
  return {
    ...(layer != null && { blob: await storeDigestOf(sql, layer) }),
    ...(component != null && {
      components: await componentIds(component, (criteria, page) => listImageComponents(sql, criteria, page)),
    }),
  };
}
