import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { VERSION_DETAIL, type VersionDetail } from '../operations/versions.ts';
import { type ImageVariables, imageOf, packageOf } from '../parameters/names.ts';
import { parameter, requiredText } from '../parameters/query.ts';
import { registryDomain } from '../registry-domain.ts';
import type { BkrepoCall, BkrepoRoute } from '../route.ts';
import { packageKey } from '../shapes/package-records.ts';
import { apiDetail, extDetail } from '../shapes/versions.ts';
import { API_PREFIX, inExt } from './generations.ts';

/** bkrepo-docker.md 1.8 */
export const readExtDetail = inExt((prefix) => ({
  method: 'GET',
  path: `${prefix}/version/detail/:projectId/:repoName`,
  async handle(call, request, reply) {
    const version = await detailOf(call, packageOf(request), requiredText(request, 'version'));
    return sendData(request, reply, extDetail(version, registryDomain(call.baseUrl)));
  },
}));

/** The path has no tag: it may be asked for, else it is the most obvious one. */
export const readApiDetail: BkrepoRoute = {
  method: 'GET',
  path: `${API_PREFIX}/tag/detail/:projectId/:repoName/*`,
  async handle(call, request, reply) {
    const tag = parameter(request, 'tag') || parameter(request, 'version') || null;
    return sendData(request, reply, apiDetail(await detailOf(call, imageOf(request), tag)));
  },
};

async function detailOf(
  { run }: BkrepoCall,
  image: ImageVariables,
  tag: string | null,
): Promise<VersionDetail> {
  const { namedRepository, imageVersion } = await run(VERSION_DETAIL, { ...image, tag });
  if (imageVersion !== null) return imageVersion;
  const version = `${packageKey(namedRepository, image.image)}/${tag ?? 'latest'}`;
  throw new BkrepoError('ARTIFACT_VERSION_NOT_FOUND', version, `${image.project}|${image.repository}`);
}
