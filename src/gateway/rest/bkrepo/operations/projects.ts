import { type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';
import type { WriteResult } from './writes.ts';

export interface ProjectRow {
  name: string;
  displayName: string | null;
  description: string;
  createdBy: { name: string } | null;
  createdAt: string;
  modifiedBy: { name: string } | null;
  modifiedAt: string;
}

export const PROJECTS = storedOperation<{ projects: ProjectRow[] }>(`
  query Projects {
    projects {
      name displayName description
      createdBy { name } createdAt
      modifiedBy { name } modifiedAt
    }
  }
`);

export const NAME_TAKEN = storedOperation<{ nameTaken: boolean }, { project: string; repository?: string }>(`
  query NameTaken($project: String!, $repository: String) {
    nameTaken(project: $project, repository: $repository)
  }
`);

type ProjectWrite<Variables extends object> = StoredOperation<WriteResult<{ name: string }>, Variables>;

interface ProjectTexts {
  name: string;
  displayName: string | null;
  description: string | null;
}

export const CREATE_PROJECT: ProjectWrite<ProjectTexts> = storedOperation(`
  mutation CreateProject($name: String!, $displayName: String, $description: String) {
    result: createNamedProject(name: $name, displayName: $displayName, description: $description) {
      __typename
      ... on MutationCreateNamedProjectSuccess { data { name } }
      ... on Error { code message hint details }
    }
  }
`);

export const CHANGE_PROJECT: ProjectWrite<ProjectTexts> = storedOperation(`
  mutation ChangeProject($name: String!, $displayName: String, $description: String) {
    result: changeProject(name: $name, displayName: $displayName, description: $description) {
      __typename
      ... on MutationChangeProjectSuccess { data { name } }
      ... on Error { code message hint details }
    }
  }
`);

export const DELETE_PROJECT: StoredOperation<
  WriteResult<string>,
  { name: string; forced: boolean }
> = storedOperation(`
  mutation DeleteProject($name: String!, $forced: Boolean!) {
    result: deleteProject(name: $name, forced: $forced) {
      __typename
      ... on MutationDeleteProjectSuccess { data }
      ... on Error { code message hint details }
    }
  }
`);
