import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Database } from '../../domain/database/database.ts';
import { withTimeout } from '../../domain/kept-result.ts';
import { OPENAPI_YAML } from '../rest/cachito/openapi-document.ts';
import { API_DOCUMENT_PATH, LANDING_PAGE, PAGE_POLICY } from './landing-page.ts';

const TIMEOUT_MS = 5_000;
const ETAG = `"${createHash('sha256').update(LANDING_PAGE).digest('base64url')}"`;

/** What Cachito has outside of its API (cachito.md 1.17): a page for people, its description, a check of health. */
export function registerPages(app: FastifyInstance, { database }: { database: Pick<Database, 'sql'> }): void {
  app.get('/', async (request, reply) => {
    reply.headers({ etag: ETAG, 'cache-control': 'no-cache', 'content-security-policy': PAGE_POLICY });
    if (request.headers['if-none-match'] === ETAG) return await reply.code(304).send();
    return await reply.type('text/html; charset=utf-8').send(LANDING_PAGE);
  });
  app.get(API_DOCUMENT_PATH, async (_request, reply) =>
    reply.header('content-type', 'application/yaml').send(OPENAPI_YAML),
  );
  app.get('/healthcheck', async (request, reply) => {
    const query = withTimeout(database.sql.query('select 1'), TIMEOUT_MS);
    const isHealthy = await query.then(
      () => true,
      (error: unknown) => {
        request.log.error({ err: error }, 'the database does not answer');
        return false;
      },
    );
    return reply
      .code(isHealthy ? 200 : 500)
      .header('cache-control', 'no-store')
      .type('text/plain; charset=utf-8')
      .send(isHealthy ? 'OK' : 'The database does not answer');
  });
}
