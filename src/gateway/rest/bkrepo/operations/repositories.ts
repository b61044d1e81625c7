import { type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';
import type { Paging } from '../parameters/paging.ts';
import type { WriteResult } from './writes.ts';

export interface RepositoryRow {
  name: string;
  project: { name: string };
  type: string;
  category: string;
  isPublic: boolean;
  displayName: string | null;
  description: string;
  configuration: unknown;
  quota: number | null;
  used: number;
  createdBy: { name: string } | null;
  createdAt: string;
  modifiedBy: { name: string } | null;
  modifiedAt: string;
}

const REPOSITORY = `
  fragment RepositoryRow on Repository {
    name
    project { name }
    type category isPublic displayName description configuration quota used
    createdBy { name } createdAt
    modifiedBy { name } modifiedAt
  }`;

/** As the mutations of the schema take it. */
export interface RepositoryId {
  project: string;
  name: string;
}

export const REPOSITORY_INFO = storedOperation<{ namedRepository: RepositoryRow }, RepositoryId>(`
  query RepositoryInfo($project: String!, $name: String!) {
    namedRepository(project: $project, name: $name) { ...RepositoryRow }
  }
  ${REPOSITORY}
`);

export const REPOSITORIES = storedOperation<
  { namedRepositories: { total: number; rows: RepositoryRow[] } },
  Paging & { project: string; name: string | null; type: string | null }
>(`
  query Repositories($project: String!, $name: String, $type: RepositoryType, $page: Int!, $size: Int!) {
    namedRepositories(project: $project, name: $name, type: $type, page: $page, size: $size) {
      total
      rows { ...RepositoryRow }
    }
  }
  ${REPOSITORY}
`);

type RepositoryWrite<Variables extends object> = StoredOperation<WriteResult<{ name: string }>, Variables>;

/** What is absent stays. */
export interface RepositoryChanges {
  isPublic?: boolean;
  displayName?: string;
  description?: string;
  configuration?: object;
  quota?: number | null;
}

export const CREATE_REPOSITORY: RepositoryWrite<{
  input: RepositoryId & RepositoryChanges & { type: string; category: string };
}> = storedOperation(`
  mutation CreateRepository($input: CreateRepositoryInput!) {
    result: createRepository(input: $input) {
      __typename
      ... on MutationCreateRepositorySuccess { data { name } }
      ... on Error { code message hint details }
    }
  }
`);

export const CHANGE_REPOSITORY: RepositoryWrite<RepositoryId & { changes: RepositoryChanges }> =
  storedOperation(`
  mutation ChangeRepository($project: String!, $name: String!, $changes: ChangeRepositoryInput!) {
    result: changeRepository(project: $project, name: $name, changes: $changes) {
      __typename
      ... on MutationChangeRepositorySuccess { data { name } }
      ... on Error { code message hint details }
    }
  }
`);

export const DELETE_REPOSITORY: RepositoryWrite<RepositoryId & { forced: boolean }> = storedOperation(`
  mutation DeleteRepository($project: String!, $name: String!, $forced: Boolean!) {
    result: deleteRepository(project: $project, name: $name, forced: $forced) {
      __typename
      ... on MutationDeleteRepositorySuccess { data { name } }
      ... on Error { code message hint details }
    }
  }
`);
