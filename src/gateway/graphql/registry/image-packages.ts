import type {
  ImagePackage,
  ImageVersion,
  ManifestPart,
} from '../../../domain/database/sql/image-packages.ts';
import { deletePackage, deleteVersion } from '../../../domain/registry/delete-package.ts';
import type { HistoryEntry } from '../../../domain/registry/image-config.ts';
import { type ImageContents, readImageContents } from '../../../domain/registry/image-contents.ts';
import {
  findPackage,
  findVersion,
  listPackages,
  listVersions,
  type PageOf,
  readManifestText,
  type StoredManifest,
} from '../../../domain/registry/image-packages.ts';
import { promoteVersion } from '../../../domain/registry/promote-version.ts';
import { builder } from '../builder.ts';
import { REFUSALS } from './errors.ts';

/** Images as packages, and tags as their versions, in numbered pages: what bk-repo's clients read. */

const ImagePackageRef = builder.objectRef<ImagePackage>('ImagePackage').implement({
  description: 'An image that has tags, as a package whose versions they are.',
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false, description: 'Without project and repository.' }),
    description: t.exposeString('description', { nullable: false }),
    downloads: t.expose('downloads', { type: 'Bytes', nullable: false }),
    latest: t.exposeString('latest', { nullable: false, description: 'The tag that was pushed last.' }),
    versions: t.exposeInt('versions', { nullable: false, description: 'How many there are.' }),
    createdBy: t.exposeString('createdBy', { description: 'Who pushed the image first.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    modifiedBy: t.exposeString('modifiedBy', { description: 'Who pushed the latest version.' }),
    modifiedAt: t.expose('modifiedAt', { type: 'DateTime', nullable: false }),
  }),
});

const ImagePackagePageRef = builder.objectRef<PageOf<ImagePackage>>('ImagePackagePage').implement({
  fields: (t) => ({
    total: t.exposeInt('total', { nullable: false, description: 'Of all pages.' }),
    rows: t.expose('rows', { type: [ImagePackageRef], nullable: false }),
  }),
});

const ImagePartRef = builder.objectRef<ManifestPart>('ImagePart').implement({
  description: 'A layer, as the manifest names it.',
  fields: (t) => ({
    address: t.exposeString('address', { nullable: false, description: 'Its digest.' }),
    mediaType: t.exposeString('mediaType', { nullable: false }),
    size: t.expose('size', { type: 'Bytes', nullable: false }),
  }),
});

const ImageStepRef = builder.objectRef<HistoryEntry>('ImageStep').implement({
  description: 'How a layer came about.',
  fields: (t) => ({
    created: t.exposeString('created', { description: 'A time, as the image says it.' }),
    createdBy: t.exposeString('createdBy'),
  }),
});

const ImageLabelRef = builder.objectRef<ImageContents['labels'][number]>('ImageContentsLabel').implement({
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    value: t.exposeString('value', { nullable: false }),
  }),
});

const ImageContentsRef = builder.objectRef<ImageContents>('ImageContents').implement({
  description: 'Of an index: of its image for linux/amd64, else of its first one.',
  fields: (t) => ({
    config: t.exposeString('config', { description: 'Digest of the config.' }),
    os: t.exposeString('os'),
    platforms: t.exposeStringList('platforms', { nullable: false }),
    labels: t.expose('labels', { type: [ImageLabelRef], nullable: false }),
    history: t.expose('history', { type: [ImageStepRef], nullable: false }),
    layers: t.expose('layers', { type: [ImagePartRef], nullable: false }),
  }),
});

const ImageVersionRef = builder.objectRef<ImageVersion>('ImageVersion').implement({
  description: 'A tag of an image.',
  fields: (t) => ({
    package: t.exposeString('package', { nullable: false, description: 'Name of the image.' }),
    path: t.exposeString('path', { nullable: false, description: 'What docker clients call the image.' }),
    name: t.exposeString('name', { nullable: false }),
    stages: t.exposeStringList('stages', { nullable: false, description: 'Promotions in their order.' }),
    downloads: t.expose('downloads', { type: 'Bytes', nullable: false }),
    lastPulledAt: t.expose('lastPulledAt', { type: 'DateTime' }),
    size: t.expose('size', { type: 'Bytes', nullable: false, description: 'Config and layers.' }),
    digest: t.exposeString('digest', { nullable: false, description: 'Of its manifest.' }),
    mediaType: t.exposeString('mediaType', { nullable: false, description: 'Of its manifest.' }),
    createdBy: t.exposeString('createdBy', { description: 'Who pushed the tag first.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    modifiedBy: t.exposeString('modifiedBy', { description: 'Who pushed the tag last.' }),
    modifiedAt: t.expose('modifiedAt', { type: 'DateTime', nullable: false }),
    contents: t.field({
      type: ImageContentsRef,
      nullable: false,
      complexity: 10,
      resolve: ({ manifestId }, _args, { registry }) => readImageContents(registry, manifestId),
    }),
  }),
});

const ImageVersionPageRef = builder.objectRef<PageOf<ImageVersion>>('ImageVersionPage').implement({
  fields: (t) => ({
    total: t.exposeInt('total', { nullable: false, description: 'Of all pages.' }),
    rows: t.expose('rows', { type: [ImageVersionRef], nullable: false }),
  }),
});

const StoredManifestRef = builder.objectRef<StoredManifest>('StoredManifest').implement({
  fields: (t) => ({
    digest: t.exposeString('digest', { nullable: false }),
    mediaType: t.exposeString('mediaType', { nullable: false }),
    text: t.exposeString('text', { nullable: false, description: 'Byte for byte as it was pushed.' }),
  }),
});

/** A page is a read of its own, as large as it is asked for. */
const pageComplexity = ({ size }: { size: number }) => ({
  field: 5,
  multiplier: Math.max(1, Math.ceil(Math.min(size, 10_000) / 3)),
});

builder.queryFields((t) => {
  const repository = {
    project: t.arg.string({ required: true }),
    repository: t.arg.string({ required: true }),
  };
  const image = { ...repository, image: t.arg.string({ required: true }) };
  const page = {
    page: t.arg.int({ required: true, description: 'From 1.' }),
    size: t.arg.int({ required: true, description: 'Rows of a page, at most 10,000.' }),
  };
  return {
    imagePackages: t.field({
      type: ImagePackagePageRef,
      nullable: false,
      description: 'By name.',
      complexity: pageComplexity,
      args: { ...repository, ...page, name: t.arg.string({ description: 'A part of it; `*`: anything.' }) },
      resolve: (_root, { project, repository: name, ...args }, { registry, principal }) =>
        listPackages(registry, principal, { project, name }, { ...args, name: args.name ?? null }),
    }),
    imagePackage: t.field({
      type: ImagePackageRef,
      args: image,
      resolve: (_root, { project, repository: name, image: asked }, { registry, principal }) =>
        findPackage(registry, principal, { project, name }, asked),
    }),
    imageVersions: t.field({
      type: ImageVersionPageRef,
      nullable: false,
      description: 'By name.',
      complexity: pageComplexity,
      args: {
        ...image,
        ...page,
        name: t.arg.string({ description: 'A part of it.' }),
        stages: t.arg.stringList({ description: 'Promoted to one of these.' }),
      },
      resolve: (_root, { project, repository: name, image: asked, ...args }, { registry, principal }) => {
        const filter = { ...args, name: args.name ?? null, stages: args.stages ?? null };
        return listVersions(registry, principal, { project, name }, asked, filter);
      },
    }),
    imageVersion: t.field({
      type: ImageVersionRef,
      args: { ...image, tag: t.arg.string({ description: 'Absent: `latest`, else what was pushed last.' }) },
      resolve: (_root, { project, repository: name, image: asked, tag }, { registry, principal }) =>
        findVersion(registry, principal, { project, name }, asked, tag ?? null),
    }),
    storedManifest: t.field({
      type: StoredManifestRef,
      description: 'Not counted as a pull.',
      args: { ...image, reference: t.arg.string({ required: true, description: 'A tag or digest.' }) },
      resolve: (_root, { project, repository: name, image: asked, reference }, { registry, principal }) =>
        readManifestText(registry, principal, { project, name }, asked, reference),
    }),
  };
});

builder.mutationFields((t) => {
  const image = {
    project: t.arg.string({ required: true }),
    repository: t.arg.string({ required: true }),
    image: t.arg.string({ required: true }),
  };
  return {
    deleteImagePackage: t.boolean({
      nullable: false,
      description: 'With all tags and manifests. False: there was none.',
      errors: REFUSALS,
      args: image,
      resolve: (_root, { project, repository: name, image: asked }, { registry, principal }) =>
        deletePackage(registry, principal, { project, name }, asked),
    }),
    deleteImageVersion: t.boolean({
      nullable: false,
      description: 'With the last tag the image goes. False: there was none.',
      errors: REFUSALS,
      args: { ...image, tag: t.arg.string({ required: true }) },
      resolve: (_root, { project, repository: name, image: asked, tag }, { registry, principal }) =>
        deleteVersion(registry, principal, { project, name }, asked, tag),
    }),
    promoteImageVersion: t.field({
      type: ImageVersionRef,
      nullable: false,
      errors: REFUSALS,
      args: {
        ...image,
        tag: t.arg.string({ required: true }),
        stage: t.arg.string({ description: 'With or without the `@`; absent: the next one.' }),
      },
      resolve: (_root, { project, repository: name, image: asked, ...args }, { registry, principal }) => {
        const promotion = { tag: args.tag, stage: args.stage ?? null };
        return promoteVersion(registry, principal, { project, name }, asked, promotion);
      },
    }),
  };
});
