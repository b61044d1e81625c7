import type { FastifyReply } from 'fastify';

export function sendJson(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  return reply
    .code(status)
    .header('content-type', 'application/json')
    .header('cache-control', 'no-store')
    .send(Buffer.from(JSON.stringify(body)));
}

/** Success is 200, and nothing else; both readings of the contract find the message (fandogh.md 1.3). */
export function sendMessage(reply: FastifyReply, message: string): FastifyReply {
  return sendJson(reply, 200, { message, contents: { message } });
}
