import type { FastifyRequest } from 'fastify';
import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { CREATE_TOKEN, REVOKE_TOKEN } from '../operations/tokens.ts';
import { parameter, requireStorable } from '../parameters/query.ts';
import type { BkrepoRoute } from '../route.ts';
import { tokenRecord } from '../shapes/tokens.ts';

const PATH = '/auth/api/user/token/:uid/:name';

/** bkrepo-docker.md 2.1: of the caller or, for administrators, of anybody. */
export const createUserToken: BkrepoRoute = {
  method: 'POST',
  path: PATH,
  login: 'user',
  async handle({ run }, request, reply) {
    const { user, name } = tokenOf(request);
    const { result } = await run(CREATE_TOKEN, { user, name, expiresAt: expiryOf(request) });
    const refusals = {
      conflict: () => new BkrepoError('RESOURCE_EXISTED', name),
      'not-found': () => new BkrepoError('RESOURCE_NOT_FOUND', user),
      'invalid-input': () => new BkrepoError('PARAMETER_INVALID', NAME.test(name) ? 'expiredAt' : 'name'),
    };
    return sendData(
      request,
      reply,
      refusedAs(refusals, () => tokenRecord(dataOf(result))),
    );
  },
};

export const deleteUserToken: BkrepoRoute = {
  method: 'DELETE',
  path: PATH,
  login: 'user',
  async handle({ run }, request, reply) {
    const { user, name } = tokenOf(request);
    const { result } = await run(REVOKE_TOKEN, { user, name });
    refusedAs({ 'not-found': () => new BkrepoError('RESOURCE_NOT_FOUND', name) }, () => dataOf(result));
    return sendData(request, reply, true);
  },
};

/** As the domain has it. */
const NAME = /^[\w.-]{1,100}$/;

function tokenOf(request: FastifyRequest): { user: string; name: string } {
  const { uid: user, name } = request.params as { uid: string; name: string };
  requireStorable(user, 'uid');
  requireStorable(name, 'name');
  return { user, name };
}

/** ISO 8601; without a zone it is UTC. Null: never. */
function expiryOf(request: FastifyRequest): string | null {
  const text = parameter(request, 'expiredAt');
  if (text === null || text === '') return null;
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(Z)?$/.exec(text);
  const date = time ? new Date(time[1] ? text : `${text}Z`) : null;
  if (!date || Number.isNaN(date.getTime())) throw new BkrepoError('PARAMETER_INVALID', 'expiredAt');
  return date.toISOString();
}
