import { storedOperation } from '../../../graphql/run-operation.ts';
import type { ImageVariables } from '../parameters/names.ts';
import type { Paging } from '../parameters/paging.ts';

export interface VersionRow {
  package: string;
  path: string;
  name: string;
  stages: string[];
  downloads: number;
  lastPulledAt: string | null;
  size: number;
  createdBy: string | null;
  createdAt: string;
  modifiedBy: string | null;
  modifiedAt: string;
}

export interface VersionDetail extends VersionRow {
  digest: string;
  mediaType: string;
  contents: {
    config: string | null;
    os: string | null;
    platforms: string[];
    labels: { name: string; value: string }[];
    history: { created: string | null; createdBy: string | null }[];
    layers: { address: string; mediaType: string; size: number }[];
  };
}

const VERSION = `
  fragment VersionRow on ImageVersion {
    package path name stages downloads lastPulledAt size createdBy createdAt modifiedBy modifiedAt
  }`;

export const VERSIONS = storedOperation<
  { imageVersions: { total: number; rows: VersionRow[] } },
  ImageVariables & Paging & { name?: string | null; stages?: string[] | null }
>(`
  query Versions(
    $project: String!, $repository: String!, $image: String!, $page: Int!, $size: Int!, $name: String, $stages: [String!]
  ) {
    imageVersions(
      project: $project, repository: $repository, image: $image, page: $page, size: $size, name: $name, stages: $stages
    ) {
      total
      rows { ...VersionRow }
    }
  }
  ${VERSION}
`);

export const VERSION_STAGES = storedOperation<
  { imagePackage: { name: string } | null; imageVersion: { stages: string[] } | null },
  ImageVariables & { tag: string }
>(`
  query VersionStages($project: String!, $repository: String!, $image: String!, $tag: String!) {
    imagePackage(project: $project, repository: $repository, image: $image) { name }
    imageVersion(project: $project, repository: $repository, image: $image, tag: $tag) { stages }
  }
`);

export const VERSION_DETAIL = storedOperation<
  { namedRepository: { type: string }; imageVersion: VersionDetail | null },
  ImageVariables & { tag: string | null }
>(`
  query VersionDetail($project: String!, $repository: String!, $image: String!, $tag: String) {
    namedRepository(project: $project, name: $repository) { type }
    imageVersion(project: $project, repository: $repository, image: $image, tag: $tag) {
      ...VersionRow
      digest
      mediaType
      contents {
        config os platforms
        labels { name value }
        history { created createdBy }
        layers { address mediaType size }
      }
    }
  }
  ${VERSION}
`);
