import type { FastifyReply, FastifyRequest } from 'fastify';

/** What every answer in JSON is wrapped in, errors too (bkrepo-docker.md 0.2). */
interface Envelope {
  code: number;
  message: string | null;
  data: unknown;
  traceId: string;
}

export function sendData(request: FastifyRequest, reply: FastifyReply, data: unknown): FastifyReply {
  return sendEnvelope(reply, 200, { code: 0, message: null, data, traceId: traceIdOf(request) });
}

export function sendFailure(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, code, message }: { status: number; code: number; message: string },
): FastifyReply {
  return sendEnvelope(reply, status, { code, message, data: null, traceId: traceIdOf(request) });
}

function sendEnvelope(reply: FastifyReply, status: number, envelope: Envelope): FastifyReply {
  // As bytes: the framework would add a charset to a text.
  return reply
    .code(status)
    .header('content-type', 'application/json')
    .header('cache-control', 'no-store')
    .send(Buffer.from(JSON.stringify(envelope)));
}

/** Of the trace that the client is in (W3C Trace Context); empty: of none. */
function traceIdOf({ headers }: FastifyRequest): string {
  return (
    /^[\da-f]{2}-(?!0{32})([\da-f]{32})-[\da-f]{16}-[\da-f]{2}/.exec(`${headers.traceparent}`)?.[1] ?? ''
  );
}
