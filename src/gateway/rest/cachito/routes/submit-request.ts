import { notScheduled } from '../../../../domain/bundle-requests/submit-cachito.ts';
import { PUBLIC_READER } from '../../../../domain/identity/principal.ts';
import { dataOf } from '../../../graphql/run-operation.ts';
import { SUBMIT_REQUEST } from '../operations/writes.ts';
import { renderedRequests } from '../rendered-requests.ts';
import type { CachitoRoute } from '../route.ts';
import { sendRendered } from '../send-rendered.ts';

/** POST /requests (cachito.md 3). */
export const submitRequest: CachitoRoute = {
  method: 'POST',
  path: '/requests',
  login: 'user',
  errorOf: notScheduled,
  async handle(call, request, reply) {
    const { result } = await call.run(SUBMIT_REQUEST, { body: request.body });
    // What was made in public is shown to its maker also when the token is not for reading.
    const [json] = await renderedRequests(call).of(call.as(PUBLIC_READER), 'verbose', [dataOf(result)]);
    return sendRendered(reply, json!, 201);
  },
};
