import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { DELETE_REPOSITORY } from '../operations/repositories.ts';
import { repositoryIdOf } from '../parameters/names.ts';
import { flag } from '../parameters/query.ts';
import type { BkrepoRoute } from '../route.ts';
import { unknownAs } from './refusals.ts';

/** bkrepo-docker.md 2.2; with images only if `forced`. */
export const deleteRepository: BkrepoRoute = {
  method: 'DELETE',
  path: '/repository/api/repo/delete/:projectId/:repoName',
  login: 'user',
  async handle({ run }, request, reply) {
    const id = repositoryIdOf(request);
    const { result } = await run(DELETE_REPOSITORY, { ...id, forced: flag(request, 'forced') });
    const refusals = { conflict: () => new BkrepoError('REPOSITORY_NOT_EMPTY'), ...unknownAs(id.name) };
    refusedAs(refusals, () => dataOf(result));
    return sendData(request, reply, null);
  },
};
