import { dataOf } from '../../../graphql/run-operation.ts';
import { ADD_CONFIGURATION_FILES } from '../operations/writes.ts';
import { type CachitoRoute, ID, numberOf } from '../route.ts';

/** POST /requests/{id}/configuration-files (cachito.md 1.10): for workers. */
export const addConfigurationFiles: CachitoRoute = {
  method: 'POST',
  path: `/requests/${ID}/configuration-files`,
  login: 'worker',
  async handle({ run }, request, reply) {
    const { result } = await run(ADD_CONFIGURATION_FILES, { number: numberOf(request), body: request.body });
    dataOf(result);
    return reply.code(204).send();
  },
};
