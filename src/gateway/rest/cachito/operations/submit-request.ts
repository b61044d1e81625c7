import { type Refusal, storedOperation } from '../run-operation.ts';

export const SUBMIT_REQUEST = storedOperation<
  { result: { __typename: string; data: { number: number } } | Refusal },
  { body: unknown }
>(`
  mutation SubmitCachitoRequest($body: JSON) {
    result: submitCachitoRequest(body: $body) {
      __typename
      ... on MutationSubmitCachitoRequestSuccess { data { number } }
      ... on Error { code message hint }
    }
  }
`);
