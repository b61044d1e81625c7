import { dataOf } from '../../../graphql/run-operation.ts';
import { UPDATE_REQUEST } from '../operations/writes.ts';
import { type CachitoRoute, ID, numberOf } from '../route.ts';

/** PATCH /requests/{id} (cachito.md 1.9): for workers. */
export const updateRequest: CachitoRoute = {
  method: 'PATCH',
  path: `/requests/${ID}`,
  login: 'worker',
  async handle({ run }, request, reply) {
    const { result } = await run(UPDATE_REQUEST, { number: numberOf(request), body: request.body });
    dataOf(result);
    return reply.code(200).type('text/html; charset=utf-8').send('');
  },
};
