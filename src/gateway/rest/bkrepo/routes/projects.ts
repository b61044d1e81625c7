import { dataOf } from '../../../graphql/run-operation.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import {
  CHANGE_PROJECT,
  CREATE_PROJECT,
  DELETE_PROJECT,
  NAME_TAKEN,
  PROJECTS,
} from '../operations/projects.ts';
import { RequestBody } from '../parameters/body.ts';
import { projectOf } from '../parameters/names.ts';
import { flag } from '../parameters/query.ts';
import type { BkrepoRoute } from '../route.ts';
import { projectRecord } from '../shapes/projects.ts';
import { refusedAs } from './refusals.ts';

/** bkrepo-docker.md 2.2 */
const PREFIX = '/repository/api/project';

export const createProject: BkrepoRoute = {
  method: 'POST',
  path: `${PREFIX}/create`,
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

export const listProjects: BkrepoRoute = {
  method: 'GET',
  path: `${PREFIX}/list`,
  login: 'user',
  async handle({ run }, request, reply) {
    const { projects } = await run(PROJECTS, {});
    return sendData(request, reply, projects.map(projectRecord));
  },
};

export const projectExists: BkrepoRoute = {
  method: 'GET',
  path: `${PREFIX}/exist/:projectId`,
  login: 'user',
  async handle({ run }, request, reply) {
    return sendData(request, reply, (await run(NAME_TAKEN, { project: projectOf(request) })).nameTaken);
  },
};

/** Not in bk-repo's list of calls; what `list` says of one project. */
export const readProject: BkrepoRoute = {
  method: 'GET',
  path: `${PREFIX}/info/:projectId`,
  login: 'user',
  async handle({ run }, request, reply) {
    const name = projectOf(request);
    const { projects } = await run(PROJECTS, {});
    const project = projects.find((one) => one.name === name);
    if (!project) throw new BkrepoError('PROJECT_NOT_FOUND', name);
    return sendData(request, reply, projectRecord(project));
  },
};

export const updateProject: BkrepoRoute = {
  method: 'PUT',
  path: `${PREFIX}/:projectId`,
  login: 'user',
  async handle({ run }, request, reply) {
    const body = new RequestBody(request);
    const texts = { displayName: body.text('displayName'), description: body.text('description') };
    dataOf((await run(CHANGE_PROJECT, { name: projectOf(request), ...texts })).result);
    return sendData(request, reply, null);
  },
};

export const deleteProject: BkrepoRoute = {
  method: 'DELETE',
  path: `${PREFIX}/delete/:projectId`,
  login: 'user',
  async handle({ run }, request, reply) {
    const name = projectOf(request);
    const { result } = await run(DELETE_PROJECT, { name, forced: flag(request, 'forced') });
    refusedAs({ conflict: () => new BkrepoError('REPOSITORY_NOT_EMPTY') }, () => dataOf(result));
    return sendData(request, reply, null);
  },
};
