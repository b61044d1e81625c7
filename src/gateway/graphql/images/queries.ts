import type { BuildFilter } from '../../../domain/database/sql/image-build-rows.ts';
import type { PublishedImageFilter } from '../../../domain/database/sql/published-images.ts';
import { NotFoundError } from '../../../domain/errors.ts';
import { countBuilds, findBuild, listBuilds } from '../../../domain/images/find-builds.ts';
import { DEFAULT_REPOSITORY } from '../../../domain/images/published-image.ts';
import {
  countPublishedImages,
  findPublishedImage,
  listPublishedImages,
} from '../../../domain/images/published-images.ts';
import { builder } from '../builder.ts';
import { complexityByRows, connectionById, PAGE_SIZES, totalOf } from '../connections.ts';
import { BuildStateEnum } from './enums.ts';
import './image-build.ts';
import './published-image.ts';
import { ImageBuildRef, PublishedImageRef } from './refs.ts';

const PublishedImageFilterInput = builder.inputType('PublishedImageFilter', {
  description: 'All of what is given must hold.',
  fields: (t) => ({ project: t.string(), repository: t.string(), name: t.string() }),
});

const BuildFilterInput = builder.inputType('ImageBuildFilter', {
  description: 'All of what is given must hold.',
  fields: (t) => ({
    states: t.field({ type: [BuildStateEnum] }),
    project: t.string(),
    user: t.string({ description: 'Who submitted it.' }),
    image: t.int({ description: 'Number of a published image.' }),
    bundleRequest: t.int({ description: 'Number of the request whose bundle is the source.' }),
  }),
});

builder.queryFields((t) => ({
  publishedImage: t.field({
    type: PublishedImageRef,
    description: 'Null when there is none, or none that the caller may see.',
    args: {
      project: t.arg.string({ required: true }),
      repository: t.arg.string({ required: true, defaultValue: DEFAULT_REPOSITORY }),
      name: t.arg.string({ required: true }),
    },
    resolve: (_root, { project: projectName, repository, name }, { database, principal }) =>
      findPublishedImage(database, principal, { projectName, repository, name }),
  }),
  publishedImages: t.connection(
    {
      type: PublishedImageRef,
      nullable: false,
      description: 'Oldest first.',
      complexity: complexityByRows(PAGE_SIZES),
      args: { filter: t.arg({ type: PublishedImageFilterInput }) },
      resolve: async (_root, { filter: given, ...args }, { database, principal }) => {
        const filter: PublishedImageFilter = given ?? {};
        const connection = await connectionById(args, PAGE_SIZES, (range) =>
          listPublishedImages(database, principal, filter, range),
        );
        return { ...connection, total: () => countPublishedImages(database, principal, filter) };
      },
    },
    {
      fields: (connection) => ({
        totalCount: connection.int({ nullable: false, complexity: 50, resolve: totalOf }),
      }),
    },
  ),
  imageBuild: t.field({
    type: ImageBuildRef,
    args: { number: t.arg.int({ required: true }) },
    description: 'Null when there is none, or none that the caller may see.',
    resolve: async (_root, { number }, { database, principal }) => {
      try {
        return await findBuild(database, principal, number);
      } catch (error) {
        if (error instanceof NotFoundError) return null;
        throw error;
      }
    },
  }),
  imageBuilds: t.connection(
    {
      type: ImageBuildRef,
      nullable: false,
      description: 'Newest first.',
      complexity: complexityByRows(PAGE_SIZES),
      args: { filter: t.arg({ type: BuildFilterInput }) },
      resolve: async (_root, { filter: given, ...args }, { database, principal }) => {
        const { image: imageId, bundleRequest: requestId, ...others } = given ?? {};
        const filter: BuildFilter = { ...others, imageId, requestId };
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
}));
