import type { ImageSearch, ManifestSearch } from '../../../domain/registry/browse.ts';
import { builder } from '../builder.ts';
import { withoutNulls } from '../without-nulls.ts';
import { RepositoryTypeEnum } from './enums.ts';

const ComponentQueryInput = builder.inputType('ComponentQuery', {
  description: 'A package, by name or purl: `{purl: "pkg:npm/lodash", range: "<4.17.21"}`.',
  fields: (t) => ({
    purl: t.string({ description: 'With or without a version.' }),
    type: t.string({ description: "A purl type, or a package manager's name." }),
    name: t.string({ description: 'With its namespace.' }),
    version: t.string(),
    range: t.string({ description: 'As the ecosystem writes ranges.' }),
  }),
});

export const RepositoryFilterInput = builder.inputType('RepositoryFilter', {
  description: 'All of what is given must hold.',
  fields: (t) => ({
    project: t.string(),
    name: t.string({ description: 'A part of it.' }),
    type: t.field({ type: RepositoryTypeEnum }),
  }),
});

export const ImageFilterInput = builder.inputType('ImageFilter', {
  description: 'All of what is given must hold.',
  fields: (t) => ({
    project: t.string(),
    repository: t.string({ description: 'Its name.' }),
    name: t.string({ description: 'A part of the path.' }),
    layer: t.string({ description: 'Digest of a layer (or config) of one of its manifests.' }),
    component: t.field({
      type: ComponentQueryInput,
      description: 'A package of an SBOM that is attached to one of its manifests.',
    }),
  }),
});

export const ManifestFilterInput = builder.inputType('ManifestFilter', {
  description: 'All of what is given must hold.',
  fields: (t) => ({
    mediaType: t.string(),
    artifactType: t.string(),
    os: t.string(),
    architecture: t.string(),
    isTagged: t.boolean(),
    layer: t.string({ description: 'Digest of one of its layers, or of its config.' }),
    component: t.field({
      type: ComponentQueryInput,
      description: 'A package of an SBOM that is attached to it.',
    }),
  }),
});

type Given<Input extends { $inferInput: object }> = Input['$inferInput'] | null | undefined;

export function searchOfImages(filter: Given<typeof ImageFilterInput>): ImageSearch {
  return filter ? withoutNulls(filter) : {};
}

export function searchOfManifests(filter: Given<typeof ManifestFilterInput>): ManifestSearch {
  return filter ? withoutNulls(filter) : {};
}
