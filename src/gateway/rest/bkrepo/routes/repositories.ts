import type { FastifyReply, FastifyRequest } from 'fastify';
import { REPOSITORY_CATEGORIES, REPOSITORY_TYPES } from '../../../../domain/database/sql/repository-rows.ts';
import { requireBkrepoRepository } from '../../../../domain/registry/bkrepo-names.ts';
import { dataOf } from '../../../graphql/run-operation.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { NAME_TAKEN } from '../operations/projects.ts';
import {
  CHANGE_REPOSITORY,
  CREATE_REPOSITORY,
  DELETE_REPOSITORY,
  REPOSITORIES,
  REPOSITORY_INFO,
  type RepositoryChanges,
} from '../operations/repositories.ts';
import { RequestBody } from '../parameters/body.ts';
import { projectOf, repositoryIdOf, repositoryOf } from '../parameters/names.ts';
import { type Paging, pagingFrom } from '../parameters/paging.ts';
import { flag, parameter } from '../parameters/query.ts';
import type { BkrepoCall, BkrepoRoute } from '../route.ts';
import { genericPage, repositoryRecord } from '../shapes/repositories.ts';
import { refusedAs } from './refusals.ts';

/** bkrepo-docker.md 2.2 */
const PREFIX = '/repository/api/repo';

export const createRepository: BkrepoRoute = {
  method: 'POST',
  path: `${PREFIX}/create`,
  login: 'user',
  async handle({ run }, request, reply) {
    const body = new RequestBody(request);
    const [project, name] = [body.required('projectId'), body.required('name')];
    const type = body.oneOf('type', REPOSITORY_TYPES);
    if (type === null) throw new BkrepoError('PARAMETER_MISSING', 'type');
    const category = body.oneOf('category', REPOSITORY_CATEGORIES) ?? 'COMPOSITE';
    const changes = changesOf(body);
    requireBkrepoRepository({ name, ...changes });
    const { result } = await run(CREATE_REPOSITORY, { input: { project, name, type, category, ...changes } });
    refusedAs({ conflict: () => new BkrepoError('REPOSITORY_EXISTED', name) }, () => dataOf(result));
    return sendData(request, reply, null);
  },
};

export const updateRepository: BkrepoRoute = {
  method: 'POST',
  path: `${PREFIX}/update/:projectId/:repoName`,
  login: 'user',
  async handle(call, request, reply) {
    const changes = changesOf(new RequestBody(request));
    requireBkrepoRepository(changes);
    return await change(call, changes, request, reply);
  },
};

export const deleteRepository: BkrepoRoute = {
  method: 'DELETE',
  path: `${PREFIX}/delete/:projectId/:repoName`,
  login: 'user',
  async handle({ run }, request, reply) {
    const id = repositoryIdOf(request);
    const { result } = await run(DELETE_REPOSITORY, { ...id, forced: flag(request, 'forced') });
    const refusals = {
      conflict: () => new BkrepoError('REPOSITORY_NOT_EMPTY'),
      ...unknownAs(id.name),
    };
    refusedAs(refusals, () => dataOf(result));
    return sendData(request, reply, null);
  },
};

/** The type may be asked for along; a repository of another type is another one. */
export const readRepository: readonly BkrepoRoute[] = ['', '/:type'].map((type) => ({
  method: 'GET',
  path: `${PREFIX}/info/:projectId/:repoName${type}`,
  async handle({ run }, request, reply) {
    const id = repositoryIdOf(request);
    const { namedRepository } = await run(REPOSITORY_INFO, id);
    const { type: asked = namedRepository.type } = request.params as { type?: string };
    if (asked.toUpperCase() !== namedRepository.type) throw new BkrepoError('REPOSITORY_NOT_FOUND', id.name);
    return sendData(request, reply, repositoryRecord(namedRepository));
  },
}));

export const repositoryExists: BkrepoRoute = {
  method: 'GET',
  path: `${PREFIX}/exist/:projectId/:repoName`,
  login: 'user',
  async handle({ run }, request, reply) {
    return sendData(request, reply, (await run(NAME_TAKEN, repositoryOf(request))).nameTaken);
  },
};

/** As many as one answer holds. */
const EVERYTHING = { page: 1, size: 10_000 };

export const listRepositories: BkrepoRoute = {
  method: 'GET',
  path: `${PREFIX}/list/:projectId`,
  login: 'user',
  async handle(call, request, reply) {
    const { records } = await recordsOf(call, request, EVERYTHING);
    return sendData(request, reply, records);
  },
};

export const pageRepositories: BkrepoRoute = {
  method: 'GET',
  path: `${PREFIX}/page/:projectId/:pageNumber/:pageSize`,
  login: 'user',
  async handle(call, request, reply) {
    const { pageNumber, pageSize } = request.params as Record<string, string>;
    const paging = pagingFrom(pageNumber!, pageSize!);
    const { total, records } = await recordsOf(call, request, paging);
    return sendData(request, reply, genericPage(paging, total, records));
  },
};

export const readQuota: BkrepoRoute = {
  method: 'GET',
  path: `${PREFIX}/quota/:projectId/:repoName`,
  async handle({ run }, request, reply) {
    const { quota, used } = (await run(REPOSITORY_INFO, repositoryIdOf(request))).namedRepository;
    return sendData(request, reply, { quota, used });
  },
};

/** As a parameter or in the body; null takes it away. */
export const writeQuota: BkrepoRoute = {
  method: 'POST',
  path: `${PREFIX}/quota/:projectId/:repoName`,
  login: 'user',
  async handle(call, request, reply) {
    return await change(call, { quota: quotaOf(request) }, request, reply);
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

function changesOf(body: RequestBody): RepositoryChanges {
  const given = {
    isPublic: body.flag('public'),
    displayName: body.text('displayName'),
    description: body.text('description'),
    configuration: body.object('configuration'),
    quota: body.bytes('quota'),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
}

async function change(
  { run }: BkrepoCall,
  changes: RepositoryChanges,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const id = repositoryIdOf(request);
  const { result } = await run(CHANGE_REPOSITORY, { ...id, changes });
  refusedAs(unknownAs(id.name), () => dataOf(result));
  return sendData(request, reply, null);
}

/** Also where already the project is unknown. */
function unknownAs(name: string) {
  return { 'name-unknown': () => new BkrepoError('REPOSITORY_NOT_FOUND', name) };
}

async function recordsOf({ run }: BkrepoCall, request: FastifyRequest, paging: Paging) {
  const project = projectOf(request);
  const type = parameter(request, 'type') || null;
  const asked = { project, name: parameter(request, 'name') || null, type, ...paging };
  // Of other types there are none.
  if (type !== null && !REPOSITORY_TYPES.some((known) => known === type)) return { total: 0, records: [] };
  const { total, rows } = (await run(REPOSITORIES, asked)).namedRepositories;
  return { total, records: rows.map(repositoryRecord) };
}
