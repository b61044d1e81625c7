import { sendData } from '../envelope.ts';
import { BkrepoError } from '../errors.ts';
import { MANIFEST } from '../operations/packages.ts';
import { imageAndLastOf } from '../parameters/names.ts';
import { inBoth } from './generations.ts';

/** The manifest as a text, byte for byte (bkrepo-docker.md 1.2); by tag or digest. */
export const readManifest = inBoth((prefix) => ({
  method: 'GET',
  path: `${prefix}/manifest/:projectId/:repoName/*`,
  async handle({ run }, request, reply) {
    const { last: reference, ...image } = imageAndLastOf(request, 'tag');
    const { storedManifest } = await run(MANIFEST, { ...image, reference });
    if (storedManifest === null) {
      const { project, repository } = image;
      const path = `/${image.image}/manifest/${reference}/manifest.json`;
      throw new BkrepoError('ARTIFACT_NOT_FOUND', path, `/${project}/${repository}`);
    }
    return sendData(request, reply, storedManifest.text);
  },
}));
