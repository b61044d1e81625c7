import { requireBkrepoRepository } from '../../../../domain/registry/bkrepo-names.ts';
import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { CHANGE_REPOSITORY } from '../operations/repositories.ts';
import { RequestBody } from '../parameters/body.ts';
import { repositoryIdOf } from '../parameters/names.ts';
import { changesOf } from '../parameters/repository-changes.ts';
import type { BkrepoRoute } from '../route.ts';
import { unknownAs } from './refusals.ts';

/** bkrepo-docker.md 2.2; what is absent stays. */
export const updateRepository: BkrepoRoute = {
  method: 'POST',
  path: '/repository/api/repo/update/:projectId/:repoName',
  login: 'user',
  async handle({ run }, request, reply) {
    const id = repositoryIdOf(request);
    const changes = changesOf(new RequestBody(request));
    requireBkrepoRepository(changes);
    const { result } = await run(CHANGE_REPOSITORY, { ...id, changes });
    refusedAs(unknownAs(id.name), () => dataOf(result));
    return sendData(request, reply, null);
  },
};
