import { sendData } from '../envelope.ts';
import { registryDomain } from '../registry-domain.ts';
import { inExt } from './generations.ts';

/** bkrepo-docker.md 1.9 */
export const readAddress = inExt((prefix) => ({
  method: 'GET',
  path: `${prefix}/addr`,
  login: 'nobody',
  async handle({ baseUrl }, request, reply) {
    return sendData(request, reply, registryDomain(baseUrl));
  },
}));
