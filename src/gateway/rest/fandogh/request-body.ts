import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requestError } from './errors.ts';

const MOST_BYTES = 1024 * 1024;

/** Bodies of this dialect are JSON objects, whatever a client calls them. */
export function registerRequestBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const options = { parseAs: 'buffer', bodyLimit: MOST_BYTES } as const;
  app.addContentTypeParser('*', options, async (_request: unknown, body: Buffer) => parse(body));
}

/** For routes that read the body themselves. */
export function leaveRequestBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _body, done) => done(null, undefined));
}

function parse(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw requestError('The body is not JSON');
  }
}

export function bodyObject({ body }: FastifyRequest): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body))
    return body as Record<string, unknown>;
  throw requestError('The body must be a JSON object');
}
