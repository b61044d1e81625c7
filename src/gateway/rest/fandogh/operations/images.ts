import type { BuildState } from '../../../../domain/images/image-build.ts';
import { type Refusal, type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';

/** As the schema writes it. */
export type SchemaState = Uppercase<BuildState>;

/** The image of a name in a namespace. */
export interface ImageName {
  project: string;
  name: string;
}

export interface Page<Row> {
  nodes: Row[];
  pageInfo: { hasNextPage: boolean; endCursor: string | null };
}

export interface VersionRow {
  name: string;
  state: SchemaState;
  publishedAt: string;
  size: number;
}

export interface ImageRow {
  name: string;
  project: { name: string };
  path: string;
  createdBy: { number: number } | null;
  createdAt: string;
  lastVersion: VersionRow | null;
}

export type WriteResult<Data> = { result: { __typename: string; data: Data } | Refusal };

const VERSION = 'fragment VersionRow on PublishedVersion { name state publishedAt size }';

/** Oldest first, a page of them. */
export const IMAGES = storedOperation<
  { publishedImages: Page<ImageRow> },
  { project: string; after: string | null }
>(`
  query Images($project: String!, $after: String) {
    publishedImages(filter: { project: $project, repository: "images" }, first: 100, after: $after) {
      nodes { name project { name } path createdBy { number } createdAt lastVersion { ...VersionRow } }
      pageInfo { hasNextPage endCursor }
    }
  }
  ${VERSION}
`);

/** Oldest first, a page of them; null: there is no such image. */
export const VERSIONS = storedOperation<
  { publishedImage: { versions: Page<VersionRow> } | null },
  ImageName & { states: readonly SchemaState[] | null; after: string | null }
>(`
  query Versions($project: String!, $name: String!, $states: [ImageBuildState!], $after: String) {
    publishedImage(project: $project, name: $name) {
      versions(states: $states, first: 100, after: $after) {
        nodes { ...VersionRow }
        pageInfo { hasNextPage endCursor }
      }
    }
  }
  ${VERSION}
`);

export const IMAGE = storedOperation<
  { publishedImage: { number: number; mayPublish: boolean } | null },
  ImageName
>(`
  query Image($project: String!, $name: String!) {
    publishedImage(project: $project, name: $name) { number mayPublish }
  }
`);

export const CREATE_IMAGE: StoredOperation<WriteResult<{ number: number }>, ImageName> = storedOperation(`
  mutation CreateImage($project: String!, $name: String!) {
    result: createPublishedImage(input: { project: $project, name: $name }) {
      __typename
      ... on MutationCreatePublishedImageSuccess { data { number } }
      ... on Error { code message hint details }
    }
  }
`);

export const DELETE_IMAGE: StoredOperation<
  WriteResult<{ number: number }>,
  { number: number }
> = storedOperation(`
  mutation DeleteImage($number: Int!) {
    result: deletePublishedImage(number: $number) {
      __typename
      ... on MutationDeletePublishedImageSuccess { data { number } }
      ... on Error { code message hint details }
    }
  }
`);
