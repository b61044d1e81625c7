import type DataLoader from 'dataloader';
import { findReadableImages, type Image } from '../../../domain/database/sql/image-rows.ts';
import {
  findReadableManifests,
  type Manifest,
  type ManifestBlob,
  type ManifestChild,
  readBlobsOfManifests,
  readChildrenOfManifests,
} from '../../../domain/database/sql/manifest-rows.ts';
import type { Reader } from '../../../domain/database/sql/readable-repositories.ts';
import {
  bytesOfRepositories,
  findReadableRepositories,
  type Repository,
} from '../../../domain/database/sql/repository-rows.ts';
import { findSboms, type SbomRow } from '../../../domain/database/sql/sboms.ts';
import { findTagsOfManifests, type Tag } from '../../../domain/database/sql/tag-rows.ts';
import type { Principal } from '../../../domain/identity/principal.ts';
import { findReader } from '../../../domain/registry/reader.ts';
import type { Registry } from '../../../domain/registry/registry.ts';
import { batched, byId, grouped } from '../batched.ts';

/** Rows by id are those that the principal may pull; what belongs to a manifest may be read by who has the manifest. */
export interface RegistryLoaders {
  repository: DataLoader<number, Repository | null>;
  image: DataLoader<number, Image | null>;
  manifest: DataLoader<number, Manifest | null>;
  tagsOfManifest: DataLoader<number, Tag[]>;
  blobsOfManifest: DataLoader<number, ManifestBlob[]>;
  childrenOfManifest: DataLoader<number, ManifestChild[]>;
  sbomOfManifest: DataLoader<number, SbomRow[]>;
  bytesOfRepository: DataLoader<number, number>;
}

export function createRegistryLoaders(registry: Registry, principal: Principal): RegistryLoaders {
  const { sql } = registry.database;
  const readable = <Row extends { id: number }>(
    find: (by: typeof sql, reader: Reader, ids: readonly number[]) => Promise<Row[]>,
  ): DataLoader<number, Row | null> =>
    byId(async (ids) => await find(sql, await findReader(registry, principal), ids));
  return {
    repository: readable(findReadableRepositories),
    image: readable(findReadableImages),
    manifest: readable(findReadableManifests),
    tagsOfManifest: grouped(
      (ids) => findTagsOfManifests(sql, ids),
      (tag) => tag.manifestId,
    ),
    blobsOfManifest: grouped(
      (ids) => readBlobsOfManifests(sql, ids),
      (blob) => blob.manifestId,
    ),
    childrenOfManifest: grouped(
      (ids) => readChildrenOfManifests(sql, ids),
      (child) => child.manifestId,
    ),
    sbomOfManifest: grouped(
      (ids) => findSboms(sql, ids),
      (sbom) => sbom.manifestId,
    ),
    bytesOfRepository: batched(async (ids) => {
      const rows = await bytesOfRepositories(sql, ids);
      const bytes = new Map(rows.map((row) => [row.id, row.bytes]));
      return ids.map((id) => bytes.get(id) ?? 0);
    }),
  };
}
