import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { DELETE_PROJECT } from '../operations/projects.ts';
import { projectOf } from '../parameters/names.ts';
import { flag } from '../parameters/query.ts';
import type { BkrepoRoute } from '../route.ts';

/** With what is in it only if `forced`, as with repositories. */
export const deleteProject: BkrepoRoute = {
  method: 'DELETE',
  path: '/repository/api/project/delete/:projectId',
  login: 'user',
  async handle({ run }, request, reply) {
    const name = projectOf(request);
    const { result } = await run(DELETE_PROJECT, { name, forced: flag(request, 'forced') });
    refusedAs({ conflict: () => new BkrepoError('REPOSITORY_NOT_EMPTY') }, () => dataOf(result));
    return sendData(request, reply, null);
  },
};
