import { type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';
import type { ImageName, Page, WriteResult } from './images.ts';

export type VersionName = ImageName & { version: string };

interface BuildNumber {
  number: number;
}

/** What the log is read of: one of the version that has this name, if there is one. */
export const NEWEST_BUILD = storedOperation<
  { publishedImage: { versions: { nodes: { build: BuildNumber }[] } } | null },
  VersionName
>(`
  query NewestBuild($project: String!, $name: String!, $version: String!) {
    publishedImage(project: $project, name: $name) {
      versions(name: $version, first: 1) { nodes { build { number } } }
    }
  }
`);

/** Oldest first: the last ones of the list are the page. */
export const ALL_BUILDS = storedOperation<
  { publishedImage: { versions: { nodes: { builds: Page<BuildNumber> }[] } } | null },
  VersionName & { after: string | null }
>(`
  query AllBuilds($project: String!, $name: String!, $version: String!, $after: String) {
    publishedImage(project: $project, name: $name) {
      versions(name: $version, first: 1) {
        nodes { builds(first: 100, after: $after) { nodes { number } pageInfo { hasNextPage endCursor } } }
      }
    }
  }
`);

/** Of an upload, by the rules of this dialect: a version that was built, or is being built, is refused. */
export const BUILD_UPLOAD: StoredOperation<
  WriteResult<BuildNumber>,
  VersionName & { upload: number }
> = storedOperation(`
  mutation BuildUpload($project: String!, $name: String!, $version: String!, $upload: Int!) {
    result: buildImage(
      input: { project: $project, image: $name, version: $version, upload: $upload, policy: ONCE }
    ) {
      __typename
      ... on MutationBuildImageSuccess { data { number } }
      ... on Error { code message hint details }
    }
  }
`);
