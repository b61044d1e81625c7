import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { NAME_TAKEN } from '../operations/projects.ts';
import { CREATE_USER, GRANT_ROLES } from '../operations/users.ts';
import { RequestBody } from '../parameters/body.ts';
import type { BkrepoCall, BkrepoRoute } from '../route.ts';

/** Users (bkrepo-docker.md 2.3), alone or as owners of a project or repository. For administrators. */

export const createUser: BkrepoRoute = {
  method: 'POST',
  path: '/auth/api/user/create',
  login: 'user',
  async handle(call, request, reply) {
    await addUser(call, new RequestBody(request));
    return sendData(request, reply, true);
  },
};

export const createProjectOwner: BkrepoRoute = {
  method: 'POST',
  path: '/auth/api/user/create/project',
  login: 'user',
  async handle(call, request, reply) {
    const body = new RequestBody(request);
    const project = body.required('projectId');
    await addOwner(call, body, { project });
    return sendData(request, reply, true);
  },
};

export const createRepositoryOwner: BkrepoRoute = {
  method: 'POST',
  path: '/auth/api/user/create/repo',
  login: 'user',
  async handle(call, request, reply) {
    const body = new RequestBody(request);
    const place = { project: body.required('projectId'), repository: body.required('repoName') };
    await addOwner(call, body, place);
    return sendData(request, reply, true);
  },
};

async function addOwner(
  call: BkrepoCall,
  body: RequestBody,
  { project, repository }: { project: string; repository?: string },
): Promise<void> {
  // Before there is a user who owns nothing.
  const { nameTaken } = await call.run(NAME_TAKEN, { project, ...(repository && { repository }) });
  if (!nameTaken) {
    throw repository
      ? new BkrepoError('REPOSITORY_NOT_FOUND', repository)
      : new BkrepoError('PROJECT_NOT_FOUND', project);
  }
  const user = await addUser(call, body);
  const repositories = repository === undefined ? [] : [repository];
  const { result } = await call.run(GRANT_ROLES, {
    project,
    repositories,
    grants: [{ user, role: 'OWNER' }],
  });
  dataOf(result);
}

async function addUser({ run }: BkrepoCall, body: RequestBody): Promise<string> {
  const name = body.required('userId');
  // What we call users by is their id; the text is of no use, but the document wants it.
  body.required('name');
  const user = { name, password: body.required('pwd'), isAdmin: body.flag('admin') ?? false };
  const { result } = await run(CREATE_USER, user);
  const refusals = {
    conflict: () => new BkrepoError('RESOURCE_EXISTED', name),
    'invalid-input': ({ details }: { details: Record<string, unknown> }) =>
      new BkrepoError('PARAMETER_INVALID', details.field === 'password' ? 'pwd' : 'userId'),
  };
  return refusedAs(refusals, () => dataOf(result)).name;
}
