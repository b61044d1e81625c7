import { STATUS } from '../operations/status.ts';
import type { CachitoRoute } from '../route.ts';
import { sendJson } from '../send-json.ts';
import { longStatus, shortStatus } from '../shapes/status.ts';

/** cachito.md 6.2 */
export const readStatus: CachitoRoute = {
  method: 'GET',
  path: '/status',
  async handle(call, _request, reply) {
    const { status } = await call.run(STATUS, {});
    sendJson(reply, 200, longStatus(status));
  },
};

export const readShortStatus: CachitoRoute = {
  method: 'GET',
  path: '/status/short',
  async handle(call, _request, reply) {
    const { status } = await call.run(STATUS, {});
    sendJson(reply, status.unavailable === null ? 200 : 503, shortStatus(status));
  },
};
