import { type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';
import type { WriteResult } from './images.ts';

interface Named {
  name: string;
}

export interface AccountRow {
  number: number;
  name: string;
  email: string | null;
}

/** Of the caller. */
export const LOGGED_IN = storedOperation<
  { user: AccountRow | null; me: { memberships: Named[] } },
  { name: string }
>(`
  query LoggedIn($name: String!) {
    user(name: $name) { number name email }
    me { memberships { name } }
  }
`);

export const ACCOUNT = storedOperation<{ user: AccountRow | null }, { name: string }>(`
  query Account($name: String!) {
    user(name: $name) { number name email }
  }
`);

/** What is absent stays. */
export const CHANGE_ACCOUNT: StoredOperation<
  WriteResult<AccountRow>,
  { name: string; email?: string | null; password?: string; oldPassword?: string }
> = storedOperation(`
  mutation ChangeAccount($name: String!, $email: String, $password: String, $oldPassword: String) {
    result: changeUser(name: $name, email: $email, password: $password, oldPassword: $oldPassword) {
      __typename
      ... on MutationChangeUserSuccess { data { number name email } }
      ... on Error { code message hint details }
    }
  }
`);
