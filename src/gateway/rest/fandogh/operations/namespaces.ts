import { storedOperation } from '../../../graphql/run-operation.ts';

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
