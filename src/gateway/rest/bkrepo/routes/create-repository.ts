import { REPOSITORY_CATEGORIES, REPOSITORY_TYPES } from '../../../../domain/database/sql/repository-rows.ts';
import { requireBkrepoRepository } from '../../../../domain/registry/bkrepo-names.ts';
import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { CREATE_REPOSITORY } from '../operations/repositories.ts';
import { RequestBody } from '../parameters/body.ts';
import { changesOf } from '../parameters/repository-changes.ts';
import type { BkrepoRoute } from '../route.ts';

/** bkrepo-docker.md 2.2 */
export const createRepository: BkrepoRoute = {
  method: 'POST',
  path: '/repository/api/repo/create',
  login: 'user',
  async handle({ run }, request, reply) {
    const body = new RequestBody(request);
    const [project, name] = [body.required('projectId'), body.required('name')];
    const type = body.oneOf('type', REPOSITORY_TYPES);
    if (type === null) throw new BkrepoError('PARAMETER_MISSING', 'type');
    const category = body.oneOf('category', REPOSITORY_CATEGORIES) ?? 'COMPOSITE';
    const changes = changesOf(body);
    requireBkrepoRepository({ name, ...changes });
    const { result } = await run(CREATE_REPOSITORY, {
      input: { project, name, type, category, ...changes },
    });
    refusedAs({ conflict: () => new BkrepoError('REPOSITORY_EXISTED', name) }, () => dataOf(result));
    return sendData(request, reply, null);
  },
};
