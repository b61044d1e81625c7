import { NotFoundError } from '../../../../domain/errors.ts';
import { ENVIRONMENT } from '../operations/setup.ts';
import { setupFormatOf } from '../parameters/setup-format.ts';
import { type CachitoRoute, ID, numberOf } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { environmentInfo } from '../shapes/setup.ts';

/** cachito.md 1.11 */
export const readEnvironmentVariables: CachitoRoute = {
  method: 'GET',
  path: `/requests/${ID}/environment-variables`,
  async handle(call, request, reply) {
    const number = numberOf(request);
    const { bundleRequest } = await call.run(ENVIRONMENT, { number, format: setupFormatOf(request) });
    if (bundleRequest === null) throw new NotFoundError(`There is no bundle request ${number}`);
    sendJson(reply, 200, environmentInfo(bundleRequest));
  },
};
