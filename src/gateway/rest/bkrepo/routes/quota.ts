import type { FastifyRequest } from 'fastify';
import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { CHANGE_REPOSITORY, REPOSITORY_INFO } from '../operations/repositories.ts';
import { RequestBody } from '../parameters/body.ts';
import { repositoryIdOf } from '../parameters/names.ts';
import { parameter } from '../parameters/query.ts';
import type { BkrepoRoute } from '../route.ts';
import { unknownAs } from './refusals.ts';

const PATH = '/repository/api/repo/quota/:projectId/:repoName';

/** bkrepo-docker.md 2.2 */
export const readQuota: BkrepoRoute = {
  method: 'GET',
  path: PATH,
  async handle({ run }, request, reply) {
    const { quota, used } = (await run(REPOSITORY_INFO, repositoryIdOf(request))).namedRepository;
    return sendData(request, reply, { quota, used });
  },
};

/** As a parameter or in the body; null takes it away. */
export const writeQuota: BkrepoRoute = {
  method: 'POST',
  path: PATH,
  login: 'user',
  async handle({ run }, request, reply) {
    const id = repositoryIdOf(request);
    const { result } = await run(CHANGE_REPOSITORY, { ...id, changes: { quota: quotaOf(request) } });
    refusedAs(unknownAs(id.name), () => dataOf(result));
    return sendData(request, reply, null);
  },
};

function quotaOf(request: FastifyRequest): number | null {
  const text = parameter(request, 'quota');
  if (text !== null) {
    const bytes = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(bytes)) throw new BkrepoError('PARAMETER_INVALID', 'quota');
    return bytes;
  }
  const { body } = request;
  if (typeof body !== 'object' || body === null || !('quota' in body)) {
    throw new BkrepoError('PARAMETER_MISSING', 'quota');
  }
  return new RequestBody(request).bytes('quota');
}
