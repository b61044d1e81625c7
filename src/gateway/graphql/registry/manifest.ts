import {
  listReferrerRows,
  type Manifest,
  type ManifestBlob,
  type ManifestChild,
} from '../../../domain/database/sql/manifest-rows.ts';
import type { SbomRow } from '../../../domain/database/sql/sboms.ts';
import { InvalidInputError } from '../../../domain/errors.ts';
import { findComponentsOfManifest } from '../../../domain/registry/components-of-manifest.ts';
import { readImageConfig } from '../../../domain/registry/image-config.ts';
import { builder } from '../builder.ts';
import { ComponentRef, componentArguments } from '../components/components.ts';
import {
  complexityByRows,
  connectionById,
  connectionByText,
  LARGE_PAGE_SIZES,
  PAGE_SIZES,
} from '../connections.ts';
import { UserRef } from '../identity/user.ts';
import { BlobRoleEnum, SbomStateEnum } from './enums.ts';
import { ImageConfigRef } from './image-config.ts';
import { PlatformRef, platformOrNull } from './platform.ts';
import { ImageRef, ManifestRef, TagRef } from './refs.ts';
import { rowId } from './repository.ts';

builder.node(ManifestRef, {
  description: 'An image for one platform, an index of several, or an artifact; known by its digest.',
  id: { resolve: (manifest) => manifest.id, parse: rowId },
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'mediaType' in value,
  loadMany: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.registry.manifest.load(id))),
  fields: (t) => ({
    digest: t.exposeString('digest', { nullable: false }),
    sha512: t.exposeString('sha512', { description: 'Its other name, where it was pushed by that.' }),
    mediaType: t.exposeString('mediaType', { nullable: false }),
    artifactType: t.exposeString('artifactType'),
    annotations: t.expose('annotations', { type: 'JSON' }),
    subject: t.exposeString('subject', { description: 'Digest of what it is attached to.' }),
    size: t.expose('size', { type: 'Bytes', nullable: false, description: 'Of the manifest itself.' }),
    imageSize: t.expose('imageSize', {
      type: 'Bytes',
      nullable: false,
      description: 'Of config and layers, each once; of an index, those of its parts.',
    }),
    platform: t.field({ type: PlatformRef, resolve: platformOrNull }),
    pushedAt: t.expose('pushedAt', { type: 'DateTime', nullable: false }),
    pushedBy: t.field({
      type: UserRef,
      resolve: ({ pushedById }, _args, { loaders }) =>
        pushedById === null ? null : loaders.user.load(pushedById),
    }),
    lastPulledAt: t.expose('lastPulledAt', { type: 'DateTime' }),
    untaggedAt: t.expose('untaggedAt', { type: 'DateTime', description: 'Null: a tag is on it.' }),
    image: t.field({
      type: ImageRef,
      resolve: ({ imageId }, _args, { loaders }) => loaders.registry.image.load(imageId),
    }),
    tags: t.field({
      type: [TagRef],
      nullable: false,
      resolve: ({ id }, _args, { loaders }) => loaders.registry.tagsOfManifest.load(id),
    }),
    layers: t.field({
      type: [ManifestBlobRef],
      nullable: false,
      description: 'In the order of the manifest.',
      resolve: async ({ id }, _args, { loaders }) => {
        const blobs = await loaders.registry.blobsOfManifest.load(id);
        return blobs.filter((blob) => blob.role === 'layer');
      },
    }),
    configBlob: t.field({
      type: ManifestBlobRef,
      resolve: async ({ id }, _args, { loaders }) => {
        const blobs = await loaders.registry.blobsOfManifest.load(id);
        return blobs.find((blob) => blob.role === 'config') ?? null;
      },
    }),
    platforms: t.field({
      type: [ManifestChildRef],
      nullable: false,
      description: 'What an index lists, in its order.',
      resolve: ({ id }, _args, { loaders }) => loaders.registry.childrenOfManifest.load(id),
    }),
    config: t.field({
      type: ImageConfigRef,
      complexity: 10,
      description: 'Null: it is no image, or its config cannot be read.',
      resolve: (manifest, _args, { registry }) => readImageConfig(registry, manifest),
    }),
    content: t.string({
      nullable: false,
      complexity: 10,
      description: 'The manifest, byte for byte.',
      resolve: async ({ digest }, _args, { registry }) =>
        (await registry.contents.read(digest)).toString('utf8'),
    }),
    referrers: t.connection({
      type: ManifestRef,
      nullable: false,
      description: 'Signatures, SBOMs and other manifests that are attached to it, by digest.',
      complexity: complexityByRows(PAGE_SIZES),
      args: { artifactType: t.arg.string() },
      resolve: (manifest, { artifactType, ...args }, { database }) =>
        connectionByText(
          args,
          PAGE_SIZES,
          (row: Manifest) => row.digest,
          (range) => listReferrerRows(database.sql, manifest, artifactType ?? null, range),
        ),
    }),
    sbom: t.field({
      type: SbomRef,
      description: 'Null: it is not an SBOM that is attached to something.',
      resolve: async ({ id }, _args, { loaders }) =>
        (await loaders.registry.sbomOfManifest.load(id))[0] ?? null,
    }),
    components: t.connection({
      type: ComponentRef,
      nullable: false,
      description: 'Packages in it, from the SBOMs that are attached to it.',
      complexity: complexityByRows(LARGE_PAGE_SIZES),
      args: componentArguments(t.arg),
      resolve: (manifest, { first, last, before, after, ...query }, { registry }) => {
        if (last != null || before != null) {
          throw new InvalidInputError('Components are listed forwards only: use first and after');
        }
        return connectionById({ first, after }, LARGE_PAGE_SIZES, (range) =>
          findComponentsOfManifest(registry, manifest, query, {
            after: range.after ?? 0,
            limit: range.limit,
          }),
        );
      },
    }),
  }),
});

const SbomRef = builder.objectRef<SbomRow>('AttachedSbom').implement({
  description: 'How far an SBOM is read that somebody has attached.',
  fields: (t) => ({
    state: t.expose('state', { type: SbomStateEnum, nullable: false }),
    format: t.exposeString('format', { description: '`cyclonedx` or `spdx`.' }),
    problem: t.exposeString('problem', { description: 'Why it, or a part of it, cannot be read.' }),
    readAt: t.expose('readAt', { type: 'DateTime' }),
  }),
});

const ManifestBlobRef = builder.objectRef<ManifestBlob>('ManifestBlob').implement({
  description: 'A config or layer, as a manifest names it.',
  fields: (t) => ({
    role: t.expose('role', { type: BlobRoleEnum, nullable: false }),
    digest: t.exposeString('address', { nullable: false }),
    mediaType: t.exposeString('mediaType', { nullable: false }),
    size: t.expose('size', { type: 'Bytes', nullable: false }),
    isHere: t.boolean({
      nullable: false,
      description: 'False: a layer that may be had from elsewhere only.',
      resolve: ({ digest }) => digest !== null,
    }),
  }),
});

const ManifestChildRef = builder.objectRef<ManifestChild>('IndexEntry').implement({
  description: 'A line of an index.',
  fields: (t) => ({
    digest: t.exposeString('address', { nullable: false }),
    mediaType: t.exposeString('mediaType', { nullable: false }),
    size: t.expose('size', { type: 'Bytes', nullable: false }),
    platform: t.field({ type: PlatformRef, resolve: platformOrNull }),
    manifest: t.field({
      type: ManifestRef,
      description: 'Null: it was deleted.',
      resolve: ({ childId }, _args, { loaders }) =>
        childId === null ? null : loaders.registry.manifest.load(childId),
    }),
  }),
});
