import { type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';
import type { WriteResult } from './writes.ts';

export interface NewToken {
  token: { name: string; createdAt: string; expiresAt: string | null };
  secret: string;
}

export const CREATE_TOKEN: StoredOperation<
  WriteResult<NewToken>,
  { user: string; name: string; expiresAt: string | null }
> = storedOperation(`
  mutation CreateToken($user: String!, $name: String!, $expiresAt: DateTime) {
    result: createToken(user: $user, name: $name, expiresAt: $expiresAt) {
      __typename
      ... on MutationCreateTokenSuccess {
        data {
          token { name createdAt expiresAt }
          secret
        }
      }
      ... on Error { code message hint details }
    }
  }
`);

export const REVOKE_TOKEN: StoredOperation<
  WriteResult<{ name: string }>,
  { user: string; name: string }
> = storedOperation(`
  mutation RevokeToken($user: String!, $name: String!) {
    result: revokeToken(user: $user, name: $name) {
      __typename
      ... on MutationRevokeTokenSuccess { data { name } }
      ... on Error { code message hint details }
    }
  }
`);
