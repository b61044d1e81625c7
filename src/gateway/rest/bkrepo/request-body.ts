import type { FastifyInstance } from 'fastify';
import { BkrepoError } from './errors.ts';

const MOST_BYTES = 1024 * 1024;

/** Bodies of this dialect are JSON, whatever a client calls them. */
export function registerRequestBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  const options = { parseAs: 'buffer', bodyLimit: MOST_BYTES } as const;
  app.addContentTypeParser('*', options, async (_request: unknown, body: Buffer) => parse(body));
}

function parse(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new BkrepoError('CONTENT_INVALID');
  }
}
