import { InvalidInputError } from '../../../domain/errors.ts';
import { validDockerfile } from '../../../domain/images/build-submission.ts';
import { cancelBuild, retryBuild } from '../../../domain/images/change-build.ts';
import type { ImageBuild } from '../../../domain/images/image-build.ts';
import { DEFAULT_REPOSITORY } from '../../../domain/images/published-image.ts';
import { createPublishedImage, deletePublishedImage } from '../../../domain/images/published-images.ts';
import { submitBuild } from '../../../domain/images/submit-build.ts';
import { inspectUpload } from '../../../domain/sources/inspect-upload.ts';
import { builder } from '../builder.ts';
import type { GraphQLContext } from '../context.ts';
import { receiveArchive } from '../sources/uploads.ts';
import { PublishPolicyEnum } from './enums.ts';
import { ImageBuildRef, PublishedImageRef } from './refs.ts';

const NamedValueInput = builder.inputType('NamedValueInput', {
  fields: (t) => ({
    name: t.string({ required: true }),
    value: t.string({ required: true }),
  }),
});

const CreatePublishedImageInput = builder.inputType('CreatePublishedImageInput', {
  fields: (t) => ({
    project: t.string({ required: true }),
    repository: t.string({
      required: true,
      defaultValue: DEFAULT_REPOSITORY,
      description: 'Of the registry.',
    }),
    name: t.string({ required: true, description: 'Letters, digits, `-` and `_`; case counts.' }),
  }),
});

const BuildImageInput = builder.inputType('BuildImageInput', {
  description: 'Exactly one of upload, git and bundleRequest is the source; none with `uploadAndBuild`.',
  fields: (t) => ({
    project: t.string({ required: true }),
    repository: t.string({
      required: true,
      defaultValue: DEFAULT_REPOSITORY,
      description: 'Of the registry.',
    }),
    image: t.string({ required: true }),
    version: t.string({ required: true, defaultValue: 'latest', description: 'The tag.' }),
    policy: t.field({ type: PublishPolicyEnum, required: true, defaultValue: 'replace' }),

    upload: t.int({ description: 'Number of an uploaded archive, see `uploadSource`.' }),
    git: t.string({ description: 'URL of a git repository.' }),
    ref: t.string({ description: "Commit, branch or tag of it; the remote's HEAD when absent." }),
    bundleRequest: t.int({ description: 'Number of a complete request: its bundle is the source.' }),

    dockerfile: t.string({ description: 'Path in the source; default `Dockerfile`.' }),
    target: t.string({ description: 'Stage to end at; default the last one.' }),
    buildArguments: t.field({ type: [NamedValueInput] }),
    secrets: t.field({
      type: [NamedValueInput],
      description: 'For steps with `RUN --mount=type=secret,id=NAME`; kept until the build ends.',
    }),
    labels: t.field({ type: [NamedValueInput] }),
    platform: t.string({ description: '`os/architecture[/variant]`' }),
    useCache: t.boolean({ description: 'Default true.' }),
    network: t.boolean({
      description: 'Whether steps have a network: default true, but false for a bundle.',
    }),
    timeoutSeconds: t.int(),
    memoryBytes: t.field({ type: 'Bytes' }),
    processes: t.int(),
  }),
});

type BuildInput = typeof BuildImageInput.$inferInput;

builder.mutationFields((t) => ({
  createPublishedImage: t.field({
    type: PublishedImageRef,
    nullable: false,
    description: 'For developers of the project.',
    errors: {},
    args: { input: t.arg({ type: CreatePublishedImageInput, required: true }) },
    resolve: (_root, { input: { project: projectName, repository, name } }, { database, principal }) =>
      createPublishedImage(database, principal, { projectName, repository, name }),
  }),
  deletePublishedImage: t.field({
    type: PublishedImageRef,
    nullable: false,
    description:
      'With its versions, builds and all that the registry has of it; builds that wait or run are cancelled. Gives what it was.',
    errors: {},
    args: { number: t.arg.int({ required: true }) },
    resolve: (_root, { number }, { database, settings, principal }) =>
      deletePublishedImage(database, settings, principal, number),
  }),
  buildImage: t.field({
    type: ImageBuildRef,
    nullable: false,
    description: 'Builds a version of a published image, which is made if it is not there.',
    errors: {},
    args: { input: t.arg({ type: BuildImageInput, required: true }) },
    resolve: async (_root, { input }, context) => {
      if (input.upload != null) await inspect(context, input.upload, input);
      return await submit(context, input);
    },
  }),
  uploadAndBuild: t.field({
    type: ImageBuildRef,
    nullable: false,
    description: '`uploadSource` and `buildImage` in one.',
    errors: {},
    args: {
      file: t.arg({ type: 'Upload', required: true }),
      input: t.arg({ type: BuildImageInput, required: true }),
    },
    resolve: async (_root, { file, input }, context) => {
      const { id } = await receiveArchive(context, file);
      if ([input.upload, input.git, input.bundleRequest].some((one) => one != null)) {
        throw new InvalidInputError('The uploaded file is the source: name no other');
      }
      await inspect(context, id, input);
      return await submit(context, { ...input, upload: id });
    },
  }),
  cancelImageBuild: t.field({
    type: ImageBuildRef,
    nullable: false,
    description: 'Ends a build that waits or runs.',
    errors: {},
    args: { number: t.arg.int({ required: true }) },
    resolve: (_root, { number }, { database, settings, principal }) =>
      cancelBuild(database, settings, principal, number),
  }),
  retryImageBuild: t.field({
    type: ImageBuildRef,
    nullable: false,
    description: 'Does a failed or cancelled build again, from the same source.',
    errors: {},
    args: {
      number: t.arg.int({ required: true }),
      secrets: t.arg({ type: [NamedValueInput], description: 'Those that it had; they are not kept.' }),
    },
    resolve: (_root, { number, secrets }, { database, settings, principal }) =>
      retryBuild(database, settings, principal, number, byName('secret', secrets)),
  }),
}));

/** What cannot be built is refused at once, rather than when its turn comes. */
async function inspect(context: GraphQLContext, uploadId: number, { dockerfile }: BuildInput): Promise<void> {
  const path = dockerfile == null ? null : validDockerfile(dockerfile);
  await inspectUpload(context, context.principal, uploadId, { dockerfile: path });
}

async function submit(
  { database, settings, principal }: GraphQLContext,
  { project, repository, image, version, policy, upload, git, bundleRequest, ...input }: BuildInput,
): Promise<ImageBuild> {
  return await submitBuild(
    database,
    settings,
    principal,
    { projectName: project, repository, name: image, version },
    {
      ...input,
      uploadId: upload,
      repository: git,
      requestId: bundleRequest,
      buildArguments: byName('build argument', input.buildArguments),
      secrets: byName('secret', input.secrets),
      labels: byName('label', input.labels),
    },
    policy,
  );
}

/** Throws InvalidInputError for a name that is given twice. */
function byName(
  kind: string,
  list: readonly { name: string; value: string }[] | null | undefined,
): Record<string, string> {
  const entries = new Map<string, string>();
  for (const { name, value } of list ?? []) {
    if (entries.has(name)) throw new InvalidInputError(`The ${kind} "${name.slice(0, 60)}" is given twice`);
    entries.set(name, value);
  }
  return Object.fromEntries(entries);
}
