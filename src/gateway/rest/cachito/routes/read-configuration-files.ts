import { NotFoundError } from '../../../../domain/errors.ts';
import { CONFIGURATION_FILES } from '../operations/setup.ts';
import { setupFormatOf } from '../parameters/setup-format.ts';
import { type CachitoRoute, ID, numberOf } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { configurationFileList } from '../shapes/setup.ts';

/** cachito.md 1.10 */
export const readConfigurationFiles: CachitoRoute = {
  method: 'GET',
  path: `/requests/${ID}/configuration-files`,
  async handle(call, request, reply) {
    const number = numberOf(request);
    const { bundleRequest } = await call.run(CONFIGURATION_FILES, { number, format: setupFormatOf(request) });
    if (bundleRequest === null) throw new NotFoundError(`There is no bundle request ${number}`);
    sendJson(reply, 200, configurationFileList(bundleRequest));
  },
};
