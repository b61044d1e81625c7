import { OPENAPI_JSON, OPENAPI_YAML } from '../openapi-document.ts';
import type { CachitoRoute } from '../route.ts';
import { sendRendered } from '../send-rendered.ts';

/** cachito.md 1.16 */
export const readOpenapiJson: CachitoRoute = {
  method: 'GET',
  path: '/openapi.json',
  async handle(_call, _request, reply) {
    sendRendered(reply, OPENAPI_JSON);
  },
};

export const readOpenapiYaml: CachitoRoute = {
  method: 'GET',
  path: '/openapi.yaml',
  async handle(_call, _request, reply) {
    reply.header('content-type', 'application/yaml').send(OPENAPI_YAML);
  },
};
