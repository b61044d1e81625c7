import type DataLoader from 'dataloader';
import type { Database } from '../../../domain/database/database.ts';
import { readQueuePositions } from '../../../domain/database/sql/admit-builds.ts';
import { findManifestsOfBuilds, findVisibleBuilds } from '../../../domain/database/sql/image-build-rows.ts';
import {
  findLastVersionRows,
  findVisiblePublishedImages,
} from '../../../domain/database/sql/published-images.ts';
import { type Principal, requireScope } from '../../../domain/identity/principal.ts';
import type { ImageBuild } from '../../../domain/images/image-build.ts';
import type { PublishedImage, PublishedVersion } from '../../../domain/images/published-image.ts';
import { batched, byId } from '../batched.ts';

/** Rows by id are those that the principal may see; what belongs to one may be read by who has it. */
export interface ImageLoaders {
  published: DataLoader<number, PublishedImage | null>;
  build: DataLoader<number, ImageBuild | null>;
  /** By id of the image. */
  lastVersion: DataLoader<number, PublishedVersion | null>;
  queuePosition: DataLoader<number, number | null>;
  /** Id of the manifest of a build's result. */
  manifestOfBuild: DataLoader<number, number | null>;
}

export function createImageLoaders({ sql }: Database, principal: Principal): ImageLoaders {
  return {
    published: byId(async (ids) => {
      requireScope(principal, 'read');
      return await findVisiblePublishedImages(sql, principal, ids);
    }),
    build: byId(async (ids) => {
      requireScope(principal, 'read');
      return await findVisibleBuilds(sql, principal, ids);
    }),
    lastVersion: batched(async (ids) => {
      const versions = await findLastVersionRows(sql, ids);
      const byImage = new Map(versions.map((version) => [version.imageId, version]));
      return ids.map((id) => byImage.get(id) ?? null);
    }),
    queuePosition: batched(async (ids) => {
      const positions = await readQueuePositions(sql, ids);
      const byBuild = new Map(positions.map(({ id, position }) => [id, position]));
      return ids.map((id) => byBuild.get(id) ?? null);
    }),
    manifestOfBuild: batched(async (ids) => {
      const manifests = await findManifestsOfBuilds(sql, ids);
      const byBuild = new Map(manifests.map(({ id, manifestId }) => [id, manifestId]));
      return ids.map((id) => byBuild.get(id) ?? null);
    }),
  };
}
