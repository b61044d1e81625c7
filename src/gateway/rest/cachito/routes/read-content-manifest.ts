import { InvalidInputError, NotFoundError } from '../../../../domain/errors.ts';
import { CONTENT_MANIFESTS, REQUEST_STATES } from '../operations/manifests.ts';
import { type CachitoRoute, ID, numberOf } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { stateOf } from '../shapes/names.ts';

/** cachito.md 1.12, 5.3 */
export const readContentManifest: CachitoRoute = {
  method: 'GET',
  path: `/requests/${ID}/content-manifest`,
  async handle(call, request, reply) {
    const number = numberOf(request);
    const [row] = (await call.run(REQUEST_STATES, { numbers: [number] })).bundleRequestsByNumber;
    if (row && !['complete', 'stale'].includes(stateOf(row.state))) {
      throw new InvalidInputError(
        'Content manifests are only available for requests in the "complete" or "stale" states',
      );
    }
    const { bundleRequestsByNumber } = await call.run(CONTENT_MANIFESTS, { numbers: [number] });
    const [found] = bundleRequestsByNumber;
    if (!found) throw new NotFoundError(`There is no bundle request ${number}`);
    sendJson(reply, 200, found.contentManifest);
  },
};
