import type { FastifyInstance } from 'fastify';
import { MalformedBodyError } from './errors.ts';

const MOST_BYTES = 1024 * 1024;

/**
 * Bodies of this dialect (cachito.md 1.1): JSON is read whatever its subtype; a body of any other type counts as absent,
 * which is not the same as one that is empty.
 */
export function registerRequestBody(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ headers }) => {
    const type = headers['content-type'];
    // One of two names: the framework refuses what it cannot parse.
    if (type !== undefined) headers['content-type'] = isJson(type) ? JSON_TYPE : OTHER_TYPE;
  });
  app.removeAllContentTypeParsers();
  const options = { parseAs: 'buffer', bodyLimit: MOST_BYTES } as const;
  app.addContentTypeParser(JSON_TYPE, options, async (_request: unknown, body: Buffer) => parse(body));
  app.addContentTypeParser('*', options, async () => undefined);
}

const JSON_TYPE = 'application/json';
const OTHER_TYPE = 'application/octet-stream';

function isJson(contentType: string): boolean {
  return /^application\/(?:[^;\s]+\+)?json$/i.test(contentType.split(';', 1)[0]!.trim());
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new MalformedBodyError({ cause });
  }
}
