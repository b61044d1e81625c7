import { sendData } from '../envelope.ts';
import { PACKAGES } from '../operations/packages.ts';
import { repositoryOf } from '../parameters/names.ts';
import { pagingOf } from '../parameters/paging.ts';
import { parameter } from '../parameters/query.ts';
import type { BkrepoRoute } from '../route.ts';
import { apiImage, extImage, extPage } from '../shapes/packages.ts';
import { API_PREFIX, inExt } from './generations.ts';

/** bkrepo-docker.md 1.4 */
export const listExtImages = inExt((prefix) => ({
  method: 'GET',
  path: `${prefix}/repo/:projectId/:repoName`,
  async handle({ run }, request, reply) {
    const asked = { ...repositoryOf(request), ...pagingOf(request), name: parameter(request, 'name') };
    const { total, rows } = (await run(PACKAGES, asked)).imagePackages;
    return sendData(request, reply, extPage(total, rows.map(extImage)));
  },
}));

export const listApiImages: BkrepoRoute = {
  method: 'GET',
  path: `${API_PREFIX}/repo/:projectId/:repoName`,
  async handle({ run }, request, reply) {
    const { imagePackages } = await run(PACKAGES, { ...repositoryOf(request), ...pagingOf(request) });
    return sendData(request, reply, imagePackages.rows.map(apiImage));
  },
};
