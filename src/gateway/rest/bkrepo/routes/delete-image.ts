import { dataOf } from '../../../graphql/run-operation.ts';
import { sendData } from '../envelope.ts';
import { PACKAGES } from '../operations/packages.ts';
import { DELETE_PACKAGE } from '../operations/writes.ts';
import { imageOf, packageOf } from '../parameters/names.ts';
import type { BkrepoRoute } from '../route.ts';
import { apiImage } from '../shapes/packages.ts';
import { API_PREFIX, inExt } from './generations.ts';

/** An image that is not there is as good as deleted (bkrepo-docker.md 1.6). */
export const deleteExtImage = inExt((prefix) => ({
  method: 'DELETE',
  path: `${prefix}/package/delete/:projectId/:repoName`,
  async handle({ run }, request, reply) {
    dataOf((await run(DELETE_PACKAGE, packageOf(request))).result);
    return sendData(request, reply, true);
  },
}));

/** So many of the images that remain are listed. */
const LISTED = { page: 1, size: 100 };

export const deleteApiImage: BkrepoRoute = {
  method: 'DELETE',
  path: `${API_PREFIX}/repo/:projectId/:repoName/*`,
  async handle({ run }, request, reply) {
    const image = imageOf(request);
    dataOf((await run(DELETE_PACKAGE, image)).result);
    const { project, repository } = image;
    const { imagePackages } = await run(PACKAGES, { project, repository, ...LISTED });
    return sendData(request, reply, imagePackages.rows.map(apiImage));
  },
};
