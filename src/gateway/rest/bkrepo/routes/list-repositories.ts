import type { FastifyRequest } from 'fastify';
import { REPOSITORY_TYPES } from '../../../../domain/database/sql/repository-rows.ts';
import { sendData } from '../envelope.ts';
import { REPOSITORIES } from '../operations/repositories.ts';
import { projectOf } from '../parameters/names.ts';
import { type Paging, pagingFrom } from '../parameters/paging.ts';
import { parameter } from '../parameters/query.ts';
import type { BkrepoCall, BkrepoRoute } from '../route.ts';
import { genericPage, repositoryRecord } from '../shapes/repositories.ts';

/** As many as one answer holds. */
const EVERYTHING = { page: 1, size: 10_000 };

/** bkrepo-docker.md 2.2 */
export const listRepositories: BkrepoRoute = {
  method: 'GET',
  path: '/repository/api/repo/list/:projectId',
  login: 'user',
  async handle(call, request, reply) {
    const { records } = await recordsOf(call, request, EVERYTHING);
    return sendData(request, reply, records);
  },
};

export const pageRepositories: BkrepoRoute = {
  method: 'GET',
  path: '/repository/api/repo/page/:projectId/:pageNumber/:pageSize',
  login: 'user',
  async handle(call, request, reply) {
    const { pageNumber, pageSize } = request.params as Record<string, string>;
    const paging = pagingFrom(pageNumber!, pageSize!);
    const { total, records } = await recordsOf(call, request, paging);
    return sendData(request, reply, genericPage(paging, total, records));
  },
};

async function recordsOf({ run }: BkrepoCall, request: FastifyRequest, paging: Paging) {
  const project = projectOf(request);
  const type = parameter(request, 'type')?.toUpperCase() || null;
  const asked = { project, name: parameter(request, 'name') || null, type, ...paging };
  // Of other types there are none.
  if (type !== null && !REPOSITORY_TYPES.some((known) => known === type)) return { total: 0, records: [] };
  const { total, rows } = (await run(REPOSITORIES, asked)).namedRepositories;
  return { total, records: rows.map(repositoryRecord) };
}
