import type { VersionFilter } from '../../../domain/database/sql/published-images.ts';
import { countBuilds, listBuilds } from '../../../domain/images/find-builds.ts';
import { mayPublish } from '../../../domain/images/permissions.ts';
import { countPublishedVersions, listPublishedVersions } from '../../../domain/images/published-images.ts';
import { builder } from '../builder.ts';
import { complexityByRows, connectionById, PAGE_SIZES, totalOf } from '../connections.ts';
import { ProjectRef } from '../identity/project.ts';
import { UserRef } from '../identity/user.ts';
import { rowId } from '../registry/repository.ts';
import { BuildStateEnum } from './enums.ts';
import { ImageBuildRef, PublishedImageRef, PublishedVersionRef } from './refs.ts';

builder.node(PublishedImageRef, {
  description: 'What users publish versions of; each version is built and kept in the registry.',
  id: { resolve: (image) => image.id, parse: rowId },
  isTypeOf: (value) =>
    typeof value === 'object' && value !== null && 'projectName' in value && 'path' in value,
  loadMany: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.images.published.load(id))),
  fields: (t) => ({
    number: t.int({ nullable: false, resolve: (image) => image.id }),
    name: t.exposeString('name', { nullable: false, description: 'Case counts.' }),
    project: t.field({
      type: ProjectRef,
      resolve: ({ projectId }, _args, { loaders }) => loaders.project.load(projectId),
    }),
    repository: t.exposeString('repository', { nullable: false, description: 'Of the registry.' }),
    path: t.exposeString('path', {
      nullable: false,
      description: 'Where the registry keeps it: a name that is not legal there is mapped to one that is.',
    }),
    createdBy: t.field({
      type: UserRef,
      resolve: ({ createdById }, _args, { loaders }) =>
        createdById === null ? null : loaders.user.load(createdById),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    mayPublish: t.boolean({
      nullable: false,
      description: 'Whether the caller may publish versions of it, and delete it.',
      resolve: ({ projectId }, _args, { database, principal }) => mayPublish(database, principal, projectId),
    }),
    lastVersion: t.field({
      type: PublishedVersionRef,
      description: 'The one that was published last.',
      resolve: ({ id }, _args, { loaders }) => loaders.images.lastVersion.load(id),
    }),
    versions: t.connection(
      {
        type: PublishedVersionRef,
        nullable: false,
        description: 'In the order in which they were published first.',
        complexity: complexityByRows(PAGE_SIZES),
        args: {
          states: t.arg({ type: [BuildStateEnum], description: 'Of the newest build.' }),
          name: t.arg.string(),
        },
        resolve: async ({ id }, { states, name, ...args }, { database, principal }) => {
          const filter: VersionFilter = { states, name };
          const connection = await connectionById(args, PAGE_SIZES, (range) =>
            listPublishedVersions(database, principal, id, filter, range),
          );
          return { ...connection, total: () => countPublishedVersions(database, principal, id, filter) };
        },
      },
      {
        fields: (connection) => ({
          totalCount: connection.int({ nullable: false, complexity: 50, resolve: totalOf }),
        }),
      },
    ),
  }),
});

PublishedVersionRef.implement({
  description: 'A tag of a published image, with what was built for it last.',
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false, description: 'The tag.' }),
    image: t.field({
      type: PublishedImageRef,
      resolve: ({ imageId }, _args, { loaders }) => loaders.images.published.load(imageId),
    }),
    publishedAt: t.expose('publishedAt', {
      type: 'DateTime',
      nullable: false,
      description: 'Of the last publication.',
    }),
    state: t.field({ type: BuildStateEnum, nullable: false, resolve: ({ build }) => build.state }),
    size: t.field({
      type: 'Bytes',
      nullable: false,
      description: '0 until it is known.',
      resolve: ({ build }) => build.size ?? 0,
    }),
    build: t.expose('build', { type: ImageBuildRef, nullable: false, description: 'The newest one.' }),
    builds: t.connection(
      {
        type: ImageBuildRef,
        nullable: false,
        description: 'Newest first.',
        complexity: complexityByRows(PAGE_SIZES),
        resolve: async ({ id: versionId }, args, { database, principal }) => {
          const filter = { versionId };
          const connection = await connectionById(args, PAGE_SIZES, (range) =>
            listBuilds(database, principal, filter, range),
          );
          return { ...connection, total: () => countBuilds(database, principal, filter) };
        },
      },
      {
        fields: (connection) => ({
          totalCount: connection.int({ nullable: false, complexity: 50, resolve: totalOf }),
        }),
      },
    ),
  }),
});
