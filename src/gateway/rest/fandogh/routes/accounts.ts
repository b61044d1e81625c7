import type { FastifyRequest } from 'fastify';
import { NotFoundError } from '../../../../domain/errors.ts';
import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { fieldError } from '../errors.ts';
import { ACCOUNT, type AccountRow, CHANGE_ACCOUNT } from '../operations/accounts.ts';
import { optionalText } from '../parameters/body.ts';
import { bodyObject } from '../request-body.ts';
import type { FandoghCall, FandoghRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';

const PATH = '/accounts/:username';

/** fandogh.md 4: of oneself; for administrators of anybody. */
export const readAccount: FandoghRoute = {
  method: 'GET',
  path: PATH,
  async handle(call, request, reply) {
    return sendJson(reply, 200, accountShape(await requireAccount(call, request)));
  },
};

/** What is absent stays. */
export const changeAccount: FandoghRoute = {
  method: 'PATCH',
  path: PATH,
  async handle(call, request, reply) {
    const { name } = await requireAccount(call, request);
    const body = bodyObject(request);
    const email = optionalText('email', body.email);
    const password = optionalText('password', body.password);
    const oldPassword = optionalText('old_password', body.old_password);
    const { result } = await call.run(CHANGE_ACCOUNT, {
      name,
      ...(email !== undefined && { email: email || null }),
      ...(password !== undefined && { password }),
      ...(oldPassword !== undefined && { oldPassword }),
    });
    const refusals = { conflict: ({ message }: Error) => fieldError('email', message) };
    return sendJson(reply, 200, accountShape(refusedAs(refusals, () => dataOf(result))));
  },
};

/** Names are lower-case for these clients; ours keep their case. */
async function requireAccount({ run }: FandoghCall, { params }: FastifyRequest): Promise<AccountRow> {
  const { username } = params as { username: string };
  for (const name of new Set([username, username.toLowerCase()])) {
    const { user } = await run(ACCOUNT, { name });
    if (user) return user;
  }
  throw new NotFoundError(`There is no user ${username.slice(0, 100)}`);
}

function accountShape({ number, name, email }: AccountRow): object {
  return { id: number, username: name, email: email ?? '' };
}
