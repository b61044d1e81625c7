import { audited } from '../../../../domain/audit/audit-log.ts';
import { UnauthenticatedError } from '../../../../domain/errors.ts';
import { activeProjectName } from '../../../../domain/identity/active-project.ts';
import type { Principal } from '../../../../domain/identity/principal.ts';
import { runOperation } from '../../../graphql/run-operation.ts';
import { messageError } from '../errors.ts';
import { LOGGED_IN } from '../operations/accounts.ts';
import { requiredText } from '../parameters/body.ts';
import { bodyObject } from '../request-body.ts';
import type { FandoghCall, FandoghRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';

/** fandogh.md 4: wrong credentials are a mistake of input here, or clients would say something else. */
export const logIn: FandoghRoute = {
  method: 'POST',
  path: '/tokens',
  login: 'nobody',
  async handle(call, request, reply) {
    const { username, password } = bodyObject(request);
    const principal = await byPassword(
      call,
      requiredText('username', username),
      requiredText('password', password),
      request.ip,
    );
    const action = { action: 'logIn', details: {}, address: request.ip };
    const token = await audited(call.database, principal, action, () =>
      call.authenticator.sessions.issue(principal),
    );
    // The first one is where clients go: there is one for everybody.
    await activeProjectName(call.database, principal, null);
    const origin = { principal, baseUrl: call.baseUrl };
    const { user, me } = await runOperation(call, origin, LOGGED_IN, { name: principal.name! });
    const namespaces = me.memberships.map(({ name }) => name);
    return sendJson(reply, 200, { token, username: principal.name, email: user?.email ?? '', namespaces });
  },
};

/** Names are lower-case for these clients; ours keep their case. */
async function byPassword(
  { authenticator }: FandoghCall,
  username: string,
  password: string,
  address: string,
): Promise<Principal> {
  for (const name of new Set([username, username.toLowerCase()])) {
    try {
      return await authenticator.byPassword(name, password, address);
    } catch (error) {
      if (!(error instanceof UnauthenticatedError)) throw error;
    }
  }
  throw messageError(400, 'Username or password is wrong');
}
