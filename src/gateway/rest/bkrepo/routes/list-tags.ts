import { sendData } from '../envelope.ts';
import { VERSIONS } from '../operations/versions.ts';
import { imageOf } from '../parameters/names.ts';
import { pagingOf } from '../parameters/paging.ts';
import { parameter } from '../parameters/query.ts';
import { registryDomain } from '../registry-domain.ts';
import type { BkrepoRoute } from '../route.ts';
import { extPage } from '../shapes/packages.ts';
import { apiTag, extTag } from '../shapes/versions.ts';
import { API_PREFIX, inExt } from './generations.ts';

/** bkrepo-docker.md 1.5 */
export const listExtTags = inExt((prefix) => ({
  method: 'GET',
  path: `${prefix}/tag/:projectId/:repoName/*`,
  async handle({ run, baseUrl }, request, reply) {
    const image = imageOf(request);
    const asked = { ...image, ...pagingOf(request), name: parameter(request, 'tag') };
    const { total, rows } = (await run(VERSIONS, asked)).imageVersions;
    const domain = registryDomain(baseUrl);
    return sendData(
      request,
      reply,
      extPage(
        total,
        rows.map((row) => extTag(row, domain)),
      ),
    );
  },
}));

/** The older document has no pages: as many as one answer holds. */
const EVERYTHING = { page: 1, size: 10_000 };

export const listApiTags: BkrepoRoute = {
  method: 'GET',
  path: `${API_PREFIX}/tag/:projectId/:repoName/*`,
  async handle({ run }, request, reply) {
    const { imageVersions } = await run(VERSIONS, { ...imageOf(request), ...EVERYTHING });
    return sendData(request, reply, imageVersions.rows.map(apiTag));
  },
};
