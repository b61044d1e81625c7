import { NotFoundError } from '../../../../domain/errors.ts';
import { BrokenStateError } from '../errors.ts';
import { REQUEST_PACKAGES } from '../operations/requests.ts';
import { type CachitoRoute, ID, numberOf } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { stateOf } from '../shapes/names.ts';
import { recordedPackages } from '../shapes/packages.ts';

/** cachito.md 1.16 */
export const readPackages: CachitoRoute = {
  method: 'GET',
  path: `/requests/${ID}/packages`,
  async handle(call, request, reply) {
    const number = numberOf(request);
    const { bundleRequest } = await call.run(REQUEST_PACKAGES, { number });
    if (bundleRequest?.packageReport) {
      sendJson(reply, 200, recordedPackages(bundleRequest.packageReport));
    } else if (bundleRequest && stateOf(bundleRequest.state) === 'complete') {
      throw new BrokenStateError('Invalid state: packages file was not found.');
    } else throw new NotFoundError(`The bundle request ${number} has no packages`);
  },
};
