import { type ContentManifest, mergeContentManifests } from '../../../../domain/bundles/content-manifest.ts';
import { InvalidInputError } from '../../../../domain/errors.ts';
import { CONTENT_MANIFESTS } from '../operations/manifests.ts';
import { batchesOf, requestsNamedBy } from '../parameters/request-numbers.ts';
import type { CachitoRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { stateOf } from '../shapes/names.ts';

/** cachito.md 5.4 */
export const readContentManifests: CachitoRoute = {
  method: 'GET',
  path: '/content-manifest',
  async handle(call, request, reply) {
    const rows = await requestsNamedBy(call, request);
    for (const { number, state } of rows) {
      if (['complete', 'stale'].includes(stateOf(state))) continue;
      throw new InvalidInputError(`Request ${number} is in state ${stateOf(state)}, not complete or stale.`);
    }
    const manifests: ContentManifest[] = [];
    for (const numbers of batchesOf(
      rows.map(({ number }) => number),
      BATCH,
    )) {
      const { bundleRequestsByNumber } = await call.run(CONTENT_MANIFESTS, { numbers });
      manifests.push(...bundleRequestsByNumber.map(({ contentManifest }) => contentManifest));
    }
    sendJson(reply, 200, mergeContentManifests(manifests));
  },
};

/** So many reports are read at a time. */
const BATCH = 8;
