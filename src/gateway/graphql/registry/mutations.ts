import { parseImageName } from '../../../domain/registry/image-name.ts';
import { deleteImage } from '../../../domain/registry/images.ts';
import { removeManifest } from '../../../domain/registry/manifests.ts';
import { isAddress, parseAddress } from '../../../domain/registry/reference.ts';
import type { NewRepository, RepositoryChanges } from '../../../domain/registry/repositories.ts';
import {
  changeRepository,
  createRepository,
  deleteRepository,
} from '../../../domain/registry/repositories.ts';
import { promoteTag } from '../../../domain/registry/stages.ts';
import { renameTag, tagManifest } from '../../../domain/registry/tags.ts';
import { builder } from '../builder.ts';
import { withoutNulls } from '../without-nulls.ts';
import { RepositoryCategoryEnum, RepositoryTypeEnum, StageEnum } from './enums.ts';
import { REFUSALS } from './errors.ts';
import { TagRef } from './refs.ts';
import { RepositoryRef } from './repository.ts';

const NewRepositoryInput = builder.inputType('CreateRepositoryInput', {
  fields: (t) => ({
    project: t.string({ required: true }),
    name: t.string({ required: true }),
    type: t.field({ type: RepositoryTypeEnum, description: 'DOCKER when absent.' }),
    category: t.field({ type: RepositoryCategoryEnum, description: 'LOCAL when absent.' }),
    isPublic: t.boolean({ description: 'Everybody may pull.' }),
    displayName: t.string(),
    description: t.string(),
    configuration: t.field({
      type: 'JSON',
      description: 'Kept as it is; `settings.cleanupStrategy` (of bk-repo) becomes retention rules.',
    }),
    quota: t.field({ type: 'Bytes' }),
  }),
});

const RepositoryChangesInput = builder.inputType('ChangeRepositoryInput', {
  description: 'What is absent stays as it is.',
  fields: (t) => ({
    isPublic: t.boolean(),
    displayName: t.string({ description: 'Null takes it away.' }),
    description: t.string(),
    configuration: t.field({ type: 'JSON', description: 'Null takes it away.' }),
    quota: t.field({ type: 'Bytes', description: 'Null takes it away.' }),
  }),
});

builder.mutationFields((t) => ({
  createRepository: t.field({
    type: RepositoryRef,
    nullable: false,
    description: 'For owners of the project and administrators.',
    errors: REFUSALS,
    args: { input: t.arg({ type: NewRepositoryInput, required: true }) },
    resolve: (_root, { input }, { registry, principal }) =>
      createRepository(registry, principal, withoutNulls(input) as NewRepository),
  }),
  changeRepository: t.field({
    type: RepositoryRef,
    nullable: false,
    description: 'For its owners, those of the project, and administrators.',
    errors: REFUSALS,
    args: {
      project: t.arg.string({ required: true }),
      name: t.arg.string({ required: true }),
      changes: t.arg({ type: RepositoryChangesInput, required: true }),
    },
    resolve: (_root, { project, name, changes }, { registry, principal }) =>
      changeRepository(registry, principal, { project, name }, changesOf(changes)),
  }),
  deleteRepository: t.field({
    type: RepositoryRef,
    nullable: false,
    description: 'Gives what it was. With images in it only if `forced`; their bytes are collected later.',
    errors: REFUSALS,
    args: {
      project: t.arg.string({ required: true }),
      name: t.arg.string({ required: true }),
      forced: t.arg.boolean({ required: true, defaultValue: false }),
    },
    resolve: (_root, { project, name, forced }, { registry, principal }) =>
      deleteRepository(registry, principal, { project, name }, { forced }),
  }),
  deleteImage: t.field({
    type: DeletedImageRef,
    nullable: false,
    description: 'An image with all its tags and manifests.',
    errors: REFUSALS,
    args: { path: t.arg.string({ required: true }) },
    resolve: async (_root, { path }, { registry, principal, settings }) => {
      const image = parseImageName(path, settings);
      return { path: image.path, ...(await deleteImage(registry, principal, image)) };
    },
  }),
  deleteManifest: t.field({
    type: 'String',
    nullable: false,
    description:
      'A manifest with its tags and its place among the referrers of its subject; gives its digest.',
    errors: REFUSALS,
    args: { image: t.arg.string({ required: true }), digest: t.arg.string({ required: true }) },
    resolve: async (_root, { image, digest }, { registry, principal, settings }) => {
      const address = parseAddress(digest);
      await removeManifest(registry, principal, parseImageName(image, settings), { address });
      return digest;
    },
  }),
  deleteTag: t.field({
    type: 'String',
    nullable: false,
    description: 'Only the tag; its manifest can still be had by digest. Gives its name.',
    errors: REFUSALS,
    args: { image: t.arg.string({ required: true }), tag: t.arg.string({ required: true }) },
    resolve: async (_root, { image, tag }, { registry, principal, settings }) => {
      await removeManifest(registry, principal, parseImageName(image, settings), { tag });
      return tag;
    },
  }),
  tagManifest: t.field({
    type: TagRef,
    nullable: false,
    description: 'Puts a tag on a manifest that is there. A tag that is on another one moves.',
    errors: REFUSALS,
    args: {
      image: t.arg.string({ required: true }),
      reference: t.arg.string({ required: true, description: 'A tag or a digest.' }),
      tag: t.arg.string({ required: true }),
    },
    resolve: (_root, { image, reference, tag }, { registry, principal, settings }) => {
      const source = isAddress(reference) ? { address: reference } : { tag: reference };
      return tagManifest(registry, principal, parseImageName(image, settings), { source, tag });
    },
  }),
  renameTag: t.field({
    type: TagRef,
    nullable: false,
    description: 'Its pulls and promotions go along.',
    errors: REFUSALS,
    args: {
      image: t.arg.string({ required: true }),
      from: t.arg.string({ required: true }),
      to: t.arg.string({ required: true }),
    },
    resolve: (_root, { image, from, to }, { registry, principal, settings }) =>
      renameTag(registry, principal, parseImageName(image, settings), { from, to }),
  }),
  promoteTag: t.field({
    type: TagRef,
    nullable: false,
    description: 'To a stage that it has not reached yet.',
    errors: REFUSALS,
    args: {
      image: t.arg.string({ required: true }),
      tag: t.arg.string({ required: true }),
      stage: t.arg({ type: StageEnum, description: 'The next one when absent.' }),
    },
    resolve: (_root, { image, tag, stage }, { registry, principal, settings }) =>
      promoteTag(registry, principal, parseImageName(image, settings), { tag, stage: stage ?? null }),
  }),
}));

const DeletedImageRef = builder.objectRef<{ path: string; manifests: number }>('DeletedImage').implement({
  fields: (t) => ({
    path: t.exposeString('path', { nullable: false }),
    manifests: t.exposeInt('manifests', { nullable: false, description: 'How many it had.' }),
  }),
});

/** Null says something only where there can be nothing. */
function changesOf({
  isPublic,
  description,
  ...rest
}: typeof RepositoryChangesInput.$inferInput): RepositoryChanges {
  const given = Object.entries(rest).filter(([, value]) => value !== undefined);
  return { ...withoutNulls({ isPublic, description }), ...Object.fromEntries(given) };
}
