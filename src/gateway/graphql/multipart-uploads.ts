import type { IncomingMessage, ServerResponse } from 'node:http';
import processRequest from 'graphql-upload/processRequest.mjs';
import Upload from 'graphql-upload/Upload.mjs';
import type { Plugin } from 'graphql-yoga';

interface ServerContext {
  req: { raw: IncomingMessage };
  reply: { raw: ServerResponse };
}

/** Any of these proves that no form of a foreign page sent the request: browsers ask before they send one. */
export const CSRF_PROOFS = ['x-stowage-csrf', 'apollo-require-preflight', 'x-graphql-yoga-csrf'];
const LONGEST_FIELD = 1_000_000;
const MOST_FILES = 1;
const DRAIN_MS = 10_000;

/**
 * Multipart requests go through graphql-upload's parser, which hands files on as streams; the parser of Yoga would hold
 * them in memory (stack.md 6). One byte more than allowed passes, so that the resolver can say what the limit is.
 */
export function multipartUploads(maxFileSize: number): Plugin<object, ServerContext> {
  return {
    onRequestParse({ request, setRequestParser, serverContext, fetchAPI }) {
      if (!request.headers.get('content-type')?.startsWith('multipart/form-data')) return;
      const refusal = (message: string, status: number): Response =>
        fetchAPI.Response.json({ errors: [{ message, extensions: { code: 'invalid-input' } }] }, { status });
      setRequestParser(async () => {
        if (!CSRF_PROOFS.some((name) => request.headers.has(name))) {
          return refusal(`A multipart request needs the header ${CSRF_PROOFS[0]}`, 403) as never;
        }
        const { req, reply } = serverContext;
        try {
          const operations = await processRequest(req.raw, reply.raw, {
            maxFieldSize: LONGEST_FIELD,
            maxFiles: MOST_FILES,
            maxFileSize: maxFileSize + 1,
          });
          reply.raw.once('close', () => {
            releaseFiles(operations);
            drain(req.raw);
          });
          if (Array.isArray(operations)) return refusal('Send one operation at a time', 400) as never;
          return operations as never;
        } catch (error) {
          const { status = 400, message } = error as { status?: number; message: string };
          return refusal(message, status) as never;
        }
      });
    },
  };
}

/**
 * An answer that was given before the whole request was read: the rest is read off, so that the connection is good for
 * the next request, but not for ever.
 */
function drain(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return;
  request.unpipe();
  request.resume();
  const deadline = setTimeout(() => request.destroy(), DRAIN_MS);
  request.once('close', () => clearTimeout(deadline));
}

/** A document that fails before its file is read would leave the file's spool behind. */
function releaseFiles(value: unknown): void {
  if (value instanceof Upload) {
    value.promise.then(
      (file) => file.capacitor.release(),
      () => undefined,
    );
  } else if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) releaseFiles(inner);
  }
}
