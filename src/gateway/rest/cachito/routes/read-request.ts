import { NotFoundError } from '../../../../domain/errors.ts';
import { REQUEST_VERSION } from '../operations/requests.ts';
import { renderedRequests } from '../rendered-requests.ts';
import { type CachitoRoute, ID, numberOf } from '../route.ts';
import { sendRendered } from '../send-rendered.ts';

/** cachito.md 1.8 */
export const readRequest: CachitoRoute = {
  method: 'GET',
  path: `/requests/${ID}`,
  async handle(call, request, reply) {
    const number = numberOf(request);
    const { bundleRequestVersion } = await call.run(REQUEST_VERSION, { number });
    const [json] =
      bundleRequestVersion === null
        ? []
        : await renderedRequests(call).of(call, 'verbose', [bundleRequestVersion]);
    if (json === undefined) throw new NotFoundError(`There is no bundle request ${number}`);
    sendRendered(reply, json);
  },
};
