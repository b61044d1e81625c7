import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { DomainError } from '../../domain/errors.ts';
import type { ByteRange } from '../../domain/storage/blob-store.ts';
import { selectRange } from './conditional-request.ts';
import type { Representation } from './representation.ts';

/**
 * Answers a GET or HEAD with a representation or a range of it. Bytes flow from the store to the socket; a client that
 * goes away ends the reading. Whole answers are checked while they flow: one that is found damaged is cut off before its
 * last bytes, never completed.
 */
export async function sendRepresentation(
  request: FastifyRequest,
  reply: FastifyReply,
  representation: Representation,
): Promise<void> {
  const { size, lastModified = null } = representation;
  const etag = `"${representation.etag ?? representation.digest}"`;
  const selection = selectRange(request.method, request.headers, { etag, lastModified }, size);
  reply.headers({ etag, 'cache-control': 'private, no-cache', 'accept-ranges': 'bytes' });
  if (lastModified) reply.header('last-modified', lastModified.toUTCString());
  reply.headers(representation.headers ?? {});
  switch (selection.status) {
    case 304:
      await reply.code(304).send();
      return;
    case 412:
      throw new DomainError('precondition-failed', `The file has the entity tag ${etag}`, {
        details: { etag },
      });
    case 416:
      reply.header('content-range', `bytes */${size}`);
      throw new DomainError('range-not-satisfiable', `The file has ${size} bytes`, { details: { size } });
    default:
      await sendBytes(request, reply, representation, selection.status, selection.range);
  }
}

/** Headers of answers that a browser may show: nothing in them is ever executed. */
export const INERT = { 'content-security-policy': "default-src 'none'; sandbox" };

async function sendBytes(
  request: FastifyRequest,
  reply: FastifyReply,
  representation: Representation,
  status: 200 | 206,
  range: ByteRange,
): Promise<void> {
  const { digest, size, contentType, disposition, fileName } = representation;
  const base64 = Buffer.from(digest.slice('sha256:'.length), 'hex').toString('base64');
  const headers = {
    ...INERT,
    'content-type': contentType,
    'content-length': range.end - range.start,
    'content-disposition': `${disposition}; filename="${fileName}"`,
    digest: `sha-256=${base64}`,
    'repr-digest': `sha-256=:${base64}:`,
    ...(status === 206 && { 'content-range': `bytes ${range.start}-${range.end - 1}/${size}` }),
    ...representation.headers,
  };
  if (request.method === 'HEAD' || size === 0) {
    takeOver(reply, status, headers).end();
    return;
  }
  const stream = representation.open(range);
  try {
    // What is missing is told before the first header: a status can be given then.
    await once(stream, 'readable');
    const response = takeOver(reply, status, headers);
    if (status === 206) await pipeline(stream, response);
    else await pipeline(stream, verified(representation), response);
  } catch (error) {
    if (!reply.sent) throw new DomainError('damaged', `${fileName} cannot be read`, { cause: error });
    logBreak(request, fileName, error);
  } finally {
    stream.destroy();
  }
}

/** From here on the answer is ours: the framework sends nothing any more. */
export function takeOver(reply: FastifyReply, status: number, headers: OutgoingHttpHeaders): ServerResponse {
  const all = { ...reply.getHeaders(), ...headers };
  reply.hijack();
  return reply.raw.writeHead(status, all as OutgoingHttpHeaders);
}

/** Passes chunks on, each when the next one is there, and the last one only if all of them have the digest. */
function verified(representation: Representation): (source: AsyncIterable<Buffer>) => AsyncGenerator<Buffer> {
  const { digest } = representation;
  return async function* (source) {
    const hash = createHash('sha256');
    let held: Buffer | null = null;
    for await (const chunk of source) {
      hash.update(chunk);
      if (held) yield held;
      held = chunk;
    }
    if (`sha256:${hash.digest('hex')}` !== digest) {
      await representation.onDamage?.();
      throw new Error(`The bytes are not those of ${digest}`);
    }
    if (held) yield held;
  };
}

/** The connection is closed by now. A client that went away is nobody's fault. */
export function logBreak(request: FastifyRequest, fileName: string, error: unknown): void {
  const isGone = (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE';
  if (isGone) request.log.debug({ file: fileName }, 'the client went away');
  else request.log.error({ err: error, file: fileName }, 'a download was broken off');
}
