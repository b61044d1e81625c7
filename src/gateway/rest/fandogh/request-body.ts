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

/** So much is read of what is refused, so that its sender hears why (fandogh.md 0.1). */
export const MOST_READ_BYTES = 16 * 1024 ** 3;

/** Reads what nobody wants to its end. */
export async function discardBody({ raw }: FastifyRequest): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of raw.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > MOST_READ_BYTES) return;
    }
  } catch {
    // Who went away hears nothing.
  }
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
