import type { FastifyInstance } from 'fastify';

const HEADERS = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, HEAD, POST, PATCH, DELETE, OPTIONS',
  'access-control-allow-headers': 'Authorization, ACTIVE-NAMESPACE, Content-Type',
  'access-control-max-age': '86400',
};

/** Every origin may call, with a token but without cookies (fandogh.md 1). */
export function allowOrigins(scope: FastifyInstance): void {
  scope.addHook('onRequest', async (_request, reply) => {
    reply.header('access-control-allow-origin', HEADERS['access-control-allow-origin']);
  });
  scope.options('/*', async (_request, reply) => reply.code(204).headers(HEADERS).send());
}
