import { dataOf } from '../../../graphql/run-operation.ts';
import { sendData } from '../envelope.ts';
import { CHANGE_PROJECT } from '../operations/projects.ts';
import { RequestBody } from '../parameters/body.ts';
import { projectOf } from '../parameters/names.ts';
import type { BkrepoRoute } from '../route.ts';

/** bkrepo-docker.md 2.2; what is absent stays. */
export const updateProject: BkrepoRoute = {
  method: 'PUT',
  path: '/repository/api/project/:projectId',
  login: 'user',
  async handle({ run }, request, reply) {
    const body = new RequestBody(request);
    const texts = { displayName: body.text('displayName'), description: body.text('description') };
    dataOf((await run(CHANGE_PROJECT, { name: projectOf(request), ...texts })).result);
    return sendData(request, reply, null);
  },
};
