import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { GRANT_ROLES } from '../operations/users.ts';
import { RequestBody } from '../parameters/body.ts';
import { permissionOf } from '../parameters/permission.ts';
import type { BkrepoRoute } from '../route.ts';

/** Rights of users in a project or its repositories (bkrepo-docker.md 2.3); they add to those that there are. */
export const createPermission: BkrepoRoute = {
  method: 'POST',
  path: '/auth/api/permission/create',
  login: 'user',
  async handle({ run }, request, reply) {
    const { result } = await run(GRANT_ROLES, permissionOf(new RequestBody(request)));
    const refusals = {
      'not-found': ({ details }: { details: Record<string, unknown> }) =>
        new BkrepoError('RESOURCE_NOT_FOUND', `${details.user}`),
    };
    refusedAs(refusals, () => dataOf(result));
    return sendData(request, reply, true);
  },
};
