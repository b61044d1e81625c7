import type { FastifyRequest } from 'fastify';
import { dataOf } from '../../../graphql/run-operation.ts';
import { refusedAs } from '../../refused-as.ts';
import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { VERSION_STAGES } from '../operations/versions.ts';
import { PROMOTE_VERSION } from '../operations/writes.ts';
import { type ImageVariables, imageAndLastOf, imageOfKey, packageOf } from '../parameters/names.ts';
import { parameter, requiredText } from '../parameters/query.ts';
import type { BkrepoRoute } from '../route.ts';

/** Promotions (bkrepo-docker.md 3.2). The document has package and version in the path, servers in the query. */
const FORMS = ['', '/*'];

export const readStages: readonly BkrepoRoute[] = FORMS.map((form) => ({
  method: 'GET',
  path: `/repository/api/stage/:projectId/:repoName${form}`,
  async handle({ run }, request, reply) {
    const version = versionOf(request);
    const { imagePackage, imageVersion } = await run(VERSION_STAGES, version);
    if (imagePackage === null) throw unknown(version.image);
    if (imageVersion === null) throw unknown(version.tag);
    return sendData(request, reply, imageVersion.stages);
  },
}));

export const upgradeStage: readonly BkrepoRoute[] = FORMS.map((form) => ({
  method: 'POST',
  path: `/repository/api/stage/upgrade/:projectId/:repoName${form}`,
  login: 'user',
  async handle({ run }, request, reply) {
    const version = versionOf(request);
    const stage = parameter(request, 'tag') || null;
    const { result } = await run(PROMOTE_VERSION, { ...version, stage });
    const refusals = {
      conflict: () => new BkrepoError('STAGE_UPGRADE_ERROR', 'Illegal stage'),
      'invalid-input': () => new BkrepoError('STAGE_UPGRADE_ERROR', 'Unknown tag'),
      'not-found': ({ details }: { details: Record<string, unknown> }) =>
        unknown(`${details.image ?? details.tag}`),
    };
    refusedAs(refusals, () => dataOf(result));
    return sendData(request, reply, null);
  },
}));

function versionOf(request: FastifyRequest): ImageVariables & { tag: string } {
  if ('*' in (request.params as object)) {
    const { last: tag, image: key, ...repository } = imageAndLastOf(request, 'version');
    return { ...repository, image: imageOfKey(key), tag };
  }
  return { ...packageOf(request), tag: requiredText(request, 'version') };
}

function unknown(name: string): BkrepoError {
  return new BkrepoError('RESOURCE_NOT_FOUND', name);
}
