import type { Image } from '../../../domain/database/sql/image-rows.ts';
import type { Repository } from '../../../domain/database/sql/repository-rows.ts';
import {
  browseImages,
  browseManifests,
  browseRepositories,
  countBrowsedImages,
  countBrowsedManifests,
  countBrowsedRepositories,
  findBrowsedImage,
  findBrowsedRepository,
} from '../../../domain/registry/browse.ts';
import { findBrowsedBlob } from '../../../domain/registry/browse-blobs.ts';
import { builder } from '../builder.ts';
import {
  complexityByRows,
  connectionById,
  connectionByText,
  LARGE_PAGE_SIZES,
  PAGE_SIZES,
  totalOf,
} from '../connections.ts';
import { withoutNulls } from '../without-nulls.ts';
import { BlobRef } from './blob.ts';
import {
  ImageFilterInput,
  ManifestFilterInput,
  RepositoryFilterInput,
  searchOfImages,
  searchOfManifests,
} from './filters.ts';
import { ImageRef, ManifestRef } from './refs.ts';
import { RepositoryRef } from './repository.ts';

builder.queryFields((t) => ({
  repository: t.field({
    type: RepositoryRef,
    description: 'Null when there is none, or none that the caller may pull from.',
    args: { project: t.arg.string({ required: true }), name: t.arg.string({ required: true }) },
    resolve: (_root, name, { registry, principal }) => findBrowsedRepository(registry, principal, name),
  }),
  repositories: t.connection(
    {
      type: RepositoryRef,
      nullable: false,
      description: 'By path.',
      complexity: complexityByRows(PAGE_SIZES),
      args: { filter: t.arg({ type: RepositoryFilterInput }) },
      resolve: async (_root, { filter: given, ...args }, { registry, principal }) => {
        const filter = withoutNulls(given ?? {});
        const connection = await connectionByText(
          args,
          PAGE_SIZES,
          (row: Repository) => row.path,
          (range) => browseRepositories(registry, principal, filter, range),
        );
        return { ...connection, total: () => countBrowsedRepositories(registry, principal, filter) };
      },
    },
    {
      fields: (connection) => ({
        totalCount: connection.int({ nullable: false, complexity: 20, resolve: totalOf }),
      }),
    },
  ),
  image: t.field({
    type: ImageRef,
    description: 'Null when there is none, or none that the caller may pull.',
    args: { path: t.arg.string({ required: true, description: '`project/repository/name`' }) },
    resolve: (_root, { path }, { registry, principal }) => findBrowsedImage(registry, principal, path),
  }),
  images: t.connection(
    {
      type: ImageRef,
      nullable: false,
      description:
        'By path. Which images contain this layer, or this package? `images(filter: {component: {purl: "pkg:npm/lodash", range: "<4.17.21"}})`.',
      complexity: complexityByRows(LARGE_PAGE_SIZES),
      args: { filter: t.arg({ type: ImageFilterInput }) },
      resolve: async (_root, { filter, ...args }, { registry, principal }) => {
        const search = searchOfImages(filter);
        const connection = await connectionByText(
          args,
          LARGE_PAGE_SIZES,
          (row: Image) => row.path,
          (range) => browseImages(registry, principal, search, range),
        );
        return { ...connection, total: () => countBrowsedImages(registry, principal, search) };
      },
    },
    {
      fields: (connection) => ({
        totalCount: connection.int({ nullable: false, complexity: 50, resolve: totalOf }),
      }),
    },
  ),
  manifests: t.connection(
    {
      type: ManifestRef,
      nullable: false,
      description: 'Of all images that the caller may pull, newest first.',
      complexity: complexityByRows(PAGE_SIZES),
      args: { filter: t.arg({ type: ManifestFilterInput }) },
      resolve: async (_root, { filter, ...args }, { registry, principal }) => {
        const search = searchOfManifests(filter);
        const connection = await connectionById(args, PAGE_SIZES, ({ after, before, ...range }) =>
          browseManifests(registry, principal, search, { olderThan: after, newerThan: before, ...range }),
        );
        return { ...connection, total: () => countBrowsedManifests(registry, principal, search) };
      },
    },
    {
      fields: (connection) => ({
        totalCount: connection.int({ nullable: false, complexity: 50, resolve: totalOf }),
      }),
    },
  ),
  blob: t.field({
    type: BlobRef,
    description: 'Null when no image that the caller may pull has it.',
    args: { digest: t.arg.string({ required: true }) },
    resolve: (_root, { digest }, { registry, principal }) => findBrowsedBlob(registry, principal, digest),
  }),
}));

builder.objectField(RepositoryRef, 'images', (t) =>
  t.connection(
    {
      type: ImageRef,
      nullable: false,
      description: 'By name.',
      complexity: complexityByRows(LARGE_PAGE_SIZES),
      args: { name: t.arg.string({ description: 'A part of it.' }) },
      resolve: async ({ id }, { name, ...args }, { registry, principal }) => {
        const search = { repositoryId: id, name: name ?? null };
        const connection = await connectionByText(
          args,
          LARGE_PAGE_SIZES,
          (row: Image) => row.path,
          (range) => browseImages(registry, principal, search, range),
        );
        return { ...connection, total: () => countBrowsedImages(registry, principal, search) };
      },
    },
    {
      fields: (connection) => ({
        totalCount: connection.int({ nullable: false, complexity: 20, resolve: totalOf }),
      }),
    },
  ),
);
