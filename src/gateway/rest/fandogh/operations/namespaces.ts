import { type StoredOperation, storedOperation } from '../../../graphql/run-operation.ts';
import type { WriteResult } from './images.ts';

interface Named {
  name: string;
}

/** Those of which one is a member, and all that one may see. */
export const NAMESPACES = storedOperation<{ me: { memberships: Named[] }; projects: Named[] }>(`
  query Namespaces {
    me { memberships { name } }
    projects { name }
  }
`);

/** The caller becomes its owner. */
export const CREATE_NAMESPACE: StoredOperation<WriteResult<Named>, Named> = storedOperation(`
  mutation CreateNamespace($name: String!) {
    result: createProject(name: $name) {
      __typename
      ... on MutationCreateProjectSuccess { data { name } }
      ... on Error { code message hint details }
    }
  }
`);
