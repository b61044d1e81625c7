import { type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';
import type { WriteResult } from './writes.ts';

export interface AccountRow {
  name: string;
  keys: { accessKey: string; createdAt: string }[];
}

export interface NewKey {
  accessKey: string;
  secretKey: string;
  createdAt: string;
}

export const ACCOUNTS = storedOperation<{ platformAccounts: AccountRow[] }>(`
  query Accounts {
    platformAccounts { name keys { accessKey createdAt } }
  }
`);

export const CREATE_ACCOUNT: StoredOperation<
  WriteResult<{ name: string }>,
  { name: string }
> = storedOperation(`
  mutation CreateAccount($name: String!) {
    result: createPlatformAccount(name: $name) {
      __typename
      ... on MutationCreatePlatformAccountSuccess { data { name } }
      ... on Error { code message hint details }
    }
  }
`);

export const CREATE_KEY: StoredOperation<WriteResult<NewKey>, { account: string }> = storedOperation(`
  mutation CreateKey($account: String!) {
    result: createPlatformKey(account: $account) {
      __typename
      ... on MutationCreatePlatformKeySuccess { data { accessKey secretKey createdAt } }
      ... on Error { code message hint details }
    }
  }
`);

export const DELETE_KEY: StoredOperation<
  WriteResult<string>,
  { account: string; accessKey: string }
> = storedOperation(`
  mutation DeleteKey($account: String!, $accessKey: String!) {
    result: deletePlatformKey(account: $account, accessKey: $accessKey) {
      __typename
      ... on MutationDeletePlatformKeySuccess { data }
      ... on Error { code message hint details }
    }
  }
`);

export const DELETE_ACCOUNT: StoredOperation<
  WriteResult<{ name: string }>,
  { name: string }
> = storedOperation(`
  mutation DeleteAccount($name: String!) {
    result: deletePlatformAccount(name: $name) {
      __typename
      ... on MutationDeletePlatformAccountSuccess { data { name } }
      ... on Error { code message hint details }
    }
  }
`);
