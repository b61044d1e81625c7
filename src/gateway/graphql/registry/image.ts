import { countTagRows, findTag, listTagRows, type Tag } from '../../../domain/database/sql/tag-rows.ts';
import {
  browseManifests,
  countBrowsedManifests,
  findBrowsedManifest,
  type ManifestSearch,
} from '../../../domain/registry/browse.ts';
import { builder } from '../builder.ts';
import {
  complexityByRows,
  connectionById,
  connectionByText,
  LARGE_PAGE_SIZES,
  PAGE_SIZES,
  totalOf,
} from '../connections.ts';
import { UserRef } from '../identity/user.ts';
import { StageEnum } from './enums.ts';
import { ManifestFilterInput, searchOfManifests } from './filters.ts';
import { ImageRef, ManifestRef, TagRef } from './refs.ts';
import { RepositoryRef, rowId } from './repository.ts';

builder.node(ImageRef, {
  description: 'What is pushed under one name: manifests, and tags on them.',
  id: { resolve: (image) => image.id, parse: rowId },
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'repositoryId' in value,
  loadMany: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.registry.image.load(id))),
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false, description: 'Within its repository.' }),
    path: t.exposeString('path', { nullable: false, description: '`project/repository/name`' }),
    repository: t.field({
      type: RepositoryRef,
      resolve: ({ repositoryId }, _args, { loaders }) => loaders.registry.repository.load(repositoryId),
    }),
    description: t.exposeString('description', { nullable: false }),
    downloads: t.exposeFloat('downloads', {
      nullable: false,
      description: 'A whole number, maybe beyond 2^31.',
    }),
    lastPulledAt: t.expose('lastPulledAt', { type: 'DateTime' }),
    version: t.exposeInt('version', {
      nullable: false,
      description: 'Counts pushes, deletes and whatever else changes it; see `imageEvents`.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    createdBy: t.field({
      type: UserRef,
      resolve: ({ createdById }, _args, { loaders }) =>
        createdById === null ? null : loaders.user.load(createdById),
    }),
    modifiedAt: t.expose('modifiedAt', { type: 'DateTime', nullable: false }),
    modifiedBy: t.field({
      type: UserRef,
      resolve: ({ modifiedById }, _args, { loaders }) =>
        modifiedById === null ? null : loaders.user.load(modifiedById),
    }),
    tag: t.field({
      type: TagRef,
      args: { name: t.arg.string({ required: true }) },
      resolve: ({ id }, { name }, { database }) => findTag(database.sql, id, name),
    }),
    tags: t.connection(
      {
        type: TagRef,
        nullable: false,
        description: 'By name, in the order of code points.',
        complexity: complexityByRows(LARGE_PAGE_SIZES),
        args: {
          name: t.arg.string({ description: 'A part of it.' }),
          stage: t.arg({ type: StageEnum, description: 'Tags that were promoted to it.' }),
        },
        resolve: async ({ id }, { name, stage, ...args }, { database }) => {
          const filter = { name: name ?? null, stage: stage ?? null };
          const connection = await connectionByText(
            args,
            LARGE_PAGE_SIZES,
            (row: Tag) => row.name,
            (range) => listTagRows(database.sql, id, filter, range),
          );
          return { ...connection, total: () => countTagRows(database.sql, id, filter) };
        },
      },
      {
        fields: (connection) => ({
          totalCount: connection.int({ nullable: false, complexity: 10, resolve: totalOf }),
        }),
      },
    ),
    manifest: t.field({
      type: ManifestRef,
      description: 'Null when there is none.',
      args: { reference: t.arg.string({ required: true, description: 'A tag or a digest.' }) },
      resolve: (image, { reference }, { registry }) => findBrowsedManifest(registry, image, reference),
    }),
    manifests: t.connection(
      {
        type: ManifestRef,
        nullable: false,
        description: 'Newest first.',
        complexity: complexityByRows(PAGE_SIZES),
        args: { filter: t.arg({ type: ManifestFilterInput }) },
        resolve: async ({ id }, { filter, ...args }, { registry, principal }) => {
          const search: ManifestSearch = { ...searchOfManifests(filter), imageId: id };
          const connection = await connectionById(args, PAGE_SIZES, ({ after, before, ...range }) =>
            browseManifests(registry, principal, search, { olderThan: after, newerThan: before, ...range }),
          );
          return { ...connection, total: () => countBrowsedManifests(registry, principal, search) };
        },
      },
      {
        fields: (connection) => ({
          totalCount: connection.int({ nullable: false, complexity: 10, resolve: totalOf }),
        }),
      },
    ),
  }),
});
