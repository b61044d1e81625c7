import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { NAME_TAKEN } from '../operations/projects.ts';
import { REPOSITORY_INFO } from '../operations/repositories.ts';
import { repositoryIdOf, repositoryOf } from '../parameters/names.ts';
import type { BkrepoRoute } from '../route.ts';
import { repositoryRecord } from '../shapes/repositories.ts';

/** bkrepo-docker.md 2.2. The type may be asked for along: a repository of another type is another one. */
export const readRepository: readonly BkrepoRoute[] = ['', '/:type'].map((type) => ({
  method: 'GET',
  path: `/repository/api/repo/info/:projectId/:repoName${type}`,
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
  path: '/repository/api/repo/exist/:projectId/:repoName',
  login: 'user',
  async handle({ run }, request, reply) {
    return sendData(request, reply, (await run(NAME_TAKEN, repositoryOf(request))).nameTaken);
  },
};
