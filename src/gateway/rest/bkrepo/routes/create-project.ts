import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { CREATE_PROJECT } from '../operations/projects.ts';
import { RequestBody } from '../parameters/body.ts';
import type { BkrepoRoute } from '../route.ts';

/** bkrepo-docker.md 2.2; the caller becomes its owner. */
export const createProject: BkrepoRoute = {
  method: 'POST',
  path: '/repository/api/project/create',
  login: 'user',
  async handle({ run }, request, reply) {
    const body = new RequestBody(request);
    const project = {
      name: body.required('name'),
      displayName: body.required('displayName'),
      description: body.required('description'),
    };
    const { result } = await run(CREATE_PROJECT, project);
    refusedAs({ conflict: () => new BkrepoError('PROJECT_EXISTED', project.name) }, () => dataOf(result));
    return sendData(request, reply, null);
  },
};
