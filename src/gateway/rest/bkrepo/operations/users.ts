import type { Role } from '../../../../domain/identity/project.ts';
import { type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';
import type { WriteResult } from './writes.ts';

export const CREATE_USER: StoredOperation<
  WriteResult<{ name: string }>,
  { name: string; password: string; isAdmin: boolean }
> = storedOperation(`
  mutation CreateUser($name: String!, $password: String!, $isAdmin: Boolean!) {
    result: createUser(name: $name, password: $password, isAdmin: $isAdmin) {
      __typename
      ... on MutationCreateUserSuccess { data { name } }
      ... on Error { code message hint details }
    }
  }
`);

export const GRANT_ROLES: StoredOperation<
  WriteResult<boolean>,
  { project: string; repositories: string[]; grants: { user: string; role: Uppercase<Role> }[] }
> = storedOperation(`
  mutation GrantRoles($project: String!, $repositories: [String!]!, $grants: [RoleGrantInput!]!) {
    result: grantRoles(project: $project, repositories: $repositories, grants: $grants) {
      __typename
      ... on MutationGrantRolesSuccess { data }
      ... on Error { code message hint details }
    }
  }
`);
