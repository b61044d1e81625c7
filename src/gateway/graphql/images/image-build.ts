import type { BuildError } from '../../../domain/images/image-build.ts';
import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import { builder } from '../builder.ts';
import { BundleRequestRef } from '../bundle-requests/bundle-request.ts';
import { LogPageRef, readLogPage } from '../bundle-requests/log.ts';
import { ProjectRef } from '../identity/project.ts';
import { UserRef } from '../identity/user.ts';
import { ManifestRef } from '../registry/refs.ts';
import { rowId } from '../registry/repository.ts';
import { BuildFailureEnum, BuildStateEnum } from './enums.ts';
import { ImageBuildRef, PublishedImageRef } from './refs.ts';

builder.node(ImageBuildRef, {
  description: 'One run that makes a version of a published image.',
  id: { resolve: (build) => build.id, parse: rowId },
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'imagePath' in value,
  loadMany: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.images.build.load(id))),
  fields: (t) => ({
    number: t.int({ nullable: false, resolve: (build) => build.id }),
    image: t.field({
      type: PublishedImageRef,
      resolve: ({ imageId }, _args, { loaders }) => loaders.images.published.load(imageId),
    }),
    project: t.field({
      type: ProjectRef,
      resolve: ({ projectId }, _args, { loaders }) => loaders.project.load(projectId),
    }),
    tag: t.exposeString('tag', { nullable: false, description: 'Name of the version.' }),
    reference: t.string({
      nullable: false,
      description: '`project/repository/name:tag`, as the registry has it when the build has succeeded.',
      resolve: ({ imagePath, tag }) => `${imagePath}:${tag}`,
    }),
    user: t.field({
      type: UserRef,
      description: 'Who submitted it.',
      resolve: ({ userId }, _args, { loaders }) => (userId === null ? null : loaders.user.load(userId)),
    }),
    state: t.expose('state', { type: BuildStateEnum, nullable: false }),
    queuePosition: t.int({
      description: 'The how manieth of its project to start, from 1; null when it does not wait.',
      resolve: ({ id, state }, _args, { loaders }) =>
        state === 'queued' ? loaders.images.queuePosition.load(id) : null,
    }),
    failure: t.expose('failure', { type: BuildErrorRef, description: 'Why there is no image.' }),
    version: t.exposeInt('version', {
      nullable: false,
      description: 'Counts everything that happens to the build; see `imageBuildEvents`.',
    }),
    attempt: t.exposeInt('attempt', { nullable: false, description: 'How often a worker has begun it.' }),
    retries: t.exposeInt('retries', { nullable: false }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    queuedAt: t.expose('queuedAt', {
      type: 'DateTime',
      nullable: false,
      description: 'From here on it waits, or waited.',
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'Of the last attempt.' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime' }),

    upload: t.exposeInt('uploadId', { description: 'Number of the uploaded archive.' }),
    repository: t.string({
      description: 'Git repository, without credentials.',
      resolve: ({ repository }) => (repository === null ? null : withoutCredentials(repository)),
    }),
    requestedRef: t.exposeString('requestedRef', { description: 'Commit, branch or tag as submitted.' }),
    bundleRequest: t.field({
      type: BundleRequestRef,
      description: 'Whose bundle is the source. Null also when the caller may not see it.',
      resolve: ({ requestId }, _args, { loaders }) =>
        requestId === null ? null : loaders.request.load(requestId),
    }),
    commit: t.exposeString('commit', { description: 'Full commit id of the source, once it is known.' }),

    dockerfile: t.string({ nullable: false, resolve: ({ options }) => options.dockerfile }),
    target: t.string({
      description: 'Stage to end at; null: the last one.',
      resolve: ({ options }) => options.target,
    }),
    buildArguments: t.field({
      type: 'JSON',
      nullable: false,
      resolve: ({ options }) => options.buildArguments,
    }),
    labels: t.field({ type: 'JSON', nullable: false, resolve: ({ options }) => options.labels }),
    secretIds: t.stringList({
      nullable: false,
      description: 'Names only; values are shown to nobody, and forgotten when the build ends.',
      resolve: ({ options }) => options.secretIds,
    }),
    platform: t.string({ resolve: ({ options }) => options.platform }),
    useCache: t.boolean({ nullable: false, resolve: ({ options }) => options.useCache }),
    isHermetic: t.boolean({
      nullable: false,
      description: 'Steps have no network.',
      resolve: ({ options }) => options.isHermetic,
    }),
    timeoutSeconds: t.int({ resolve: ({ options }) => options.timeoutSeconds }),
    memoryBytes: t.field({ type: 'Bytes', resolve: ({ options }) => options.memoryBytes }),
    processes: t.int({ resolve: ({ options }) => options.processes }),

    digest: t.exposeString('digest', { description: 'Of the manifest of the image.' }),
    mediaType: t.exposeString('mediaType'),
    size: t.expose('size', { type: 'Bytes', description: 'Config and layers, compressed.' }),
    baseImages: t.field({
      type: [BaseImageRef],
      nullable: false,
      resolve: ({ baseImages }) => baseImages ?? [],
    }),
    builder: t.field({
      type: BuilderVersionRef,
      description: 'What built it.',
      resolve: (build) => build.builder,
    }),
    manifest: t.field({
      type: ManifestRef,
      description: 'In the registry, with attestations among its `referrers`.',
      resolve: async ({ id, digest }, _args, { loaders }) => {
        const manifestId = digest === null ? null : await loaders.images.manifestOfBuild.load(id);
        return manifestId === null ? null : await loaders.registry.manifest.load(manifestId);
      },
    }),
    log: t.field({
      type: LogPageRef,
      nullable: false,
      description: 'At least as new as the state that is read with it.',
      args: {
        afterLine: t.arg.int({ required: true, defaultValue: 0 }),
        limit: t.arg.int({ required: true, defaultValue: 1_000, description: 'At most 5,000.' }),
      },
      resolve: ({ id }, page, context) =>
        readLogPage(context, { subjectType: 'image-build', subjectId: id }, page),
    }),
  }),
});

const BuildErrorRef = builder.objectRef<BuildError>('ImageBuildFailure').implement({
  fields: (t) => ({
    reason: t.expose('reason', { type: BuildFailureEnum, nullable: false }),
    message: t.exposeString('message', { nullable: false }),
    line: t.int({
      description: 'Of the Dockerfile, from 1.',
      resolve: ({ details: { line } }) => (typeof line === 'number' ? line : null),
    }),
    details: t.expose('details', { type: 'JSON', nullable: false }),
  }),
});

const BaseImageRef = builder.objectRef<{ name: string; digest: string }>('BaseImage').implement({
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    digest: t.exposeString('digest', { nullable: false }),
  }),
});

const BuilderVersionRef = builder.objectRef<{ name: string; version: string }>('ImageBuilder').implement({
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    version: t.exposeString('version', { nullable: false }),
  }),
});
