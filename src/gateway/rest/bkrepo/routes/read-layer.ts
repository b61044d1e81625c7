import { findLayer } from '../../../../domain/registry/image-packages.ts';
import { blobRepresentation } from '../../../downloads/representation.ts';
import { sendRepresentation } from '../../../downloads/send-representation.ts';
import { BkrepoError } from '../errors.ts';
import { layerAddress } from '../parameters/layer-id.ts';
import { imageAndLastOf } from '../parameters/names.ts';
import { inBoth } from './generations.ts';

/** The bytes of a layer or config, without an envelope (bkrepo-docker.md 1.3). */
export const readLayer = inBoth((prefix) => ({
  method: 'GET',
  path: `${prefix}/layer/:projectId/:repoName/*`,
  async handle({ registry, principal }, request, reply) {
    const { project, repository, image, last } = imageAndLastOf(request, 'Id');
    const address = layerAddress(last);
    const layer = await findLayer(registry, principal, { project, name: repository }, image, address);
    if (layer === null) throw new BkrepoError('ARTIFACT_DATA_NOT_FOUND');
    const representation = await blobRepresentation(registry.blobs, layer.digest, {
      contentType: 'application/octet-stream',
      fileName: last.replaceAll(':', '__'),
      disposition: 'attachment',
    });
    reply.headers({ 'docker-content-digest': address, 'docker-distribution-api-version': 'registry/2.0' });
    await sendRepresentation(request, reply, representation);
  },
}));
