import { type Refusal, type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';
import type { ImageVariables } from '../parameters/names.ts';

export type WriteResult<Data> = { result: { __typename: string; data: Data } | Refusal };

export const DELETE_PACKAGE: StoredOperation<WriteResult<boolean>, ImageVariables> = storedOperation(`
  mutation DeletePackage($project: String!, $repository: String!, $image: String!) {
    result: deleteImagePackage(project: $project, repository: $repository, image: $image) {
      __typename
      ... on MutationDeleteImagePackageSuccess { data }
      ... on Error { code message hint details }
    }
  }
`);

export const DELETE_VERSION: StoredOperation<
  WriteResult<boolean>,
  ImageVariables & { tag: string }
> = storedOperation(`
  mutation DeleteVersion($project: String!, $repository: String!, $image: String!, $tag: String!) {
    result: deleteImageVersion(project: $project, repository: $repository, image: $image, tag: $tag) {
      __typename
      ... on MutationDeleteImageVersionSuccess { data }
      ... on Error { code message hint details }
    }
  }
`);

export const PROMOTE_VERSION: StoredOperation<
  WriteResult<{ stages: string[] }>,
  ImageVariables & { tag: string; stage: string | null }
> = storedOperation(`
  mutation PromoteVersion(
    $project: String!, $repository: String!, $image: String!, $tag: String!, $stage: String
  ) {
    result: promoteImageVersion(project: $project, repository: $repository, image: $image, tag: $tag, stage: $stage) {
      __typename
      ... on MutationPromoteImageVersionSuccess { data { stages } }
      ... on Error { code message hint details }
    }
  }
`);
