import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { fieldError, messageError } from '../errors.ts';
import { CREATE_NAMESPACE, NAMESPACES } from '../operations/namespaces.ts';
import { requiredText } from '../parameters/body.ts';
import { bodyObject } from '../request-body.ts';
import type { FandoghCall, FandoghRoute } from '../route.ts';
import { sendJson, sendMessage } from '../send-json.ts';

/** One client says `api` twice (fandogh.md 4). */
const PATHS = ['/users/namespaces', '/api/users/namespaces'] as const;

export const listNamespaces: FandoghRoute[] = PATHS.map((path) => ({
  method: 'GET',
  path,
  async handle(call, _request, reply) {
    return sendJson(
      reply,
      200,
      (await namespacesOf(call)).map((name) => ({ name })),
    );
  },
}));

/** What may stand in the name of an image, too (fandogh.md 1.10, 4). */
const NAME = /^[a-z0-9]+(?:(?:\.|-+)[a-z0-9]+)*$/;
const LONGEST_NAME = 64;

export const createNamespace: FandoghRoute[] = PATHS.map((path) => ({
  method: 'POST',
  path,
  async handle({ run, text }, request, reply) {
    const name = requiredText('name', bodyObject(request).name);
    if (name.length > LONGEST_NAME || !NAME.test(name)) throw fieldError('name', 'Enter a valid value.');
    const { result } = await run(CREATE_NAMESPACE, { name });
    const taken = () => fieldError('name', 'namespace with this name already exists.');
    refusedAs({ conflict: taken }, () => dataOf(result));
    return sendMessage(reply, text('namespaceCreated'));
  },
}));

/** Of services, of which there are none: nothing is used, and nothing allowed. */
export const readNamespace: FandoghRoute[] = PATHS.map((path) => ({
  method: 'GET',
  path: `${path}/:namespace`,
  async handle(call, request, reply) {
    const { namespace } = request.params as { namespace: string };
    const name = namespace === ACTIVE ? await call.namespace() : namespace;
    if (!(await namespacesOf(call)).includes(name)) {
      throw messageError(404, `Namespace ${name} does not exist or you have no access to it`);
    }
    return sendJson(reply, 200, {
      name,
      quota: { service_limit: 0, memory_limit: 0, volume_limit: 0 },
      current_used_resources: { service_count: 0, memory_usage: 0, volume_usage: 0 },
    });
  },
}));

/** The literal word of one client for the namespace that it has chosen. */
const ACTIVE = 'NAMESPACE';

/** One's own first, then what else one may see. */
async function namespacesOf({ run }: FandoghCall): Promise<string[]> {
  const { me, projects } = await run(NAMESPACES, {});
  return [...new Set([...me.memberships, ...projects].map(({ name }) => name))];
}
