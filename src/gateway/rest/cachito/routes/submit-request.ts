import { SUBMIT_REQUEST } from '../operations/submit-request.ts';
import type { CachitoRoute } from '../route.ts';
import { dataOf } from '../run-operation.ts';
import { sendJson } from '../send-json.ts';

/** POST /requests (cachito.md 3). */
export const submitRequest: CachitoRoute = {
  method: 'POST',
  path: '/requests',
  login: 'user',
  async handle({ run }, request, reply) {
    const { result } = await run(SUBMIT_REQUEST, { body: request.body });
    const { number } = dataOf(result);
    return sendJson(reply, 201, { id: number });
  },
};
