import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { NAME_TAKEN, PROJECTS } from '../operations/projects.ts';
import { projectOf } from '../parameters/names.ts';
import type { BkrepoRoute } from '../route.ts';
import { projectRecord } from '../shapes/projects.ts';

/** bkrepo-docker.md 2.2 */
export const listProjects: BkrepoRoute = {
  method: 'GET',
  path: '/repository/api/project/list',
  login: 'user',
  async handle({ run }, request, reply) {
    const { projects } = await run(PROJECTS, {});
    return sendData(request, reply, projects.map(projectRecord));
  },
};

export const projectExists: BkrepoRoute = {
  method: 'GET',
  path: '/repository/api/project/exist/:projectId',
  login: 'user',
  async handle({ run }, request, reply) {
    return sendData(request, reply, (await run(NAME_TAKEN, { project: projectOf(request) })).nameTaken);
  },
};

/** Not in bk-repo's list of calls; what `list` says of one project. */
export const readProject: BkrepoRoute = {
  method: 'GET',
  path: '/repository/api/project/info/:projectId',
  login: 'user',
  async handle({ run }, request, reply) {
    const name = projectOf(request);
    const { projects } = await run(PROJECTS, {});
    const project = projects.find((one) => one.name === name);
    if (!project) throw new BkrepoError('PROJECT_NOT_FOUND', name);
    return sendData(request, reply, projectRecord(project));
  },
};
