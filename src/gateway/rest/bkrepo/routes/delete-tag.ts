import type { FastifyReply, FastifyRequest } from 'fastify';
import { dataOf } from '../../../graphql/run-operation.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { DELETE_VERSION } from '../operations/writes.ts';
import { type ImageVariables, imageAndLastOf, packageOf } from '../parameters/names.ts';
import { requiredText } from '../parameters/query.ts';
import type { BkrepoCall, BkrepoRoute } from '../route.ts';
import { API_PREFIX, inExt } from './generations.ts';

/** bkrepo-docker.md 1.7 */
export const deleteExtTag = inExt((prefix) => ({
  method: 'DELETE',
  path: `${prefix}/version/delete/:projectId/:repoName`,
  async handle(call, request, reply) {
    const image = packageOf(request);
    return await deleteTag(call, image, requiredText(request, 'version'), request, reply);
  },
}));

/** Not in the older document; its servers had it. */
export const deleteApiTag: BkrepoRoute = {
  method: 'DELETE',
  path: `${API_PREFIX}/tag/:projectId/:repoName/*`,
  async handle(call, request, reply) {
    const { last: tag, ...image } = imageAndLastOf(request, 'tag');
    return await deleteTag(call, image, tag, request, reply);
  },
};

async function deleteTag(
  { run }: BkrepoCall,
  image: ImageVariables,
  tag: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const isDeleted = dataOf((await run(DELETE_VERSION, { ...image, tag })).result);
  if (!isDeleted) throw new BkrepoError('VERSION_NOT_FOUND', tag);
  return sendData(request, reply, true);
}
