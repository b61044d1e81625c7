import { type Refusal, type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';
import type { RequestVersion } from './requests.ts';

type WriteOperation<Variables extends object> = StoredOperation<
  { result: { __typename: string; data: RequestVersion } | Refusal },
  Variables
>;

export const SUBMIT_REQUEST: WriteOperation<{ body: unknown }> = storedOperation(`
  mutation SubmitCachitoRequest($body: JSON) {
    result: submitCachitoRequest(body: $body) {
      __typename
      ... on MutationSubmitCachitoRequestSuccess { data { number version } }
      ... on Error { code message hint }
    }
  }
`);

export const UPDATE_REQUEST: WriteOperation<{ number: number; body: unknown }> = storedOperation(`
  mutation UpdateCachitoRequest($number: Int!, $body: JSON) {
    result: updateCachitoRequest(number: $number, body: $body) {
      __typename
      ... on MutationUpdateCachitoRequestSuccess { data { number version } }
      ... on Error { code message hint }
    }
  }
`);

export const ADD_CONFIGURATION_FILES: WriteOperation<{ number: number; body: unknown }> = storedOperation(`
  mutation AddCachitoConfigurationFiles($number: Int!, $body: JSON) {
    result: addCachitoConfigurationFiles(number: $number, body: $body) {
      __typename
      ... on MutationAddCachitoConfigurationFilesSuccess { data { number version } }
      ... on Error { code message hint }
    }
  }
`);
