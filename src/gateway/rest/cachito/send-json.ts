import type { FastifyReply } from 'fastify';
import { sortedJson } from './sorted-json.ts';

/** A JSON answer as the clients of this dialect know them: sorted keys, one line, no charset. */
export function sendJson(reply: FastifyReply, status: number, body: unknown): FastifyReply {
  // As bytes: the framework would add a charset to a text.
  return reply
    .code(status)
    .header('content-type', 'application/json')
    .send(Buffer.from(`${sortedJson(body)}\n`));
}
