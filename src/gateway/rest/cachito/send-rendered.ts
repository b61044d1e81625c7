import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import type { PageMeta } from './shapes/page-meta.ts';
import { sortedJson } from './sorted-json.ts';

const NEWLINE = Buffer.from('\n');
const COMMA = Buffer.from(',');
const LIST_BEGIN = Buffer.from('{"items":[');

/** JSON that is rendered already. */
export function sendRendered(reply: FastifyReply, json: Buffer, status = 200): FastifyReply {
  return answer(reply, status).send(Buffer.concat([json, NEWLINE]));
}

/** A page of items that are rendered already. */
export function sendRenderedList(
  reply: FastifyReply,
  items: readonly Buffer[],
  meta: PageMeta,
): FastifyReply {
  const separated = items.flatMap((item, at) => (at === 0 ? [item] : [COMMA, item]));
  return answer(reply).send(Buffer.concat([LIST_BEGIN, ...separated, listEnd(meta)]));
}

/** The same, one item after another: for items that are large together. */
export function streamRenderedList(
  reply: FastifyReply,
  items: AsyncIterable<Buffer>,
  meta: PageMeta,
): FastifyReply {
  const whole = async function* (): AsyncGenerator<Buffer> {
    yield LIST_BEGIN;
    let isFirst = true;
    for await (const item of items) {
      if (!isFirst) yield COMMA;
      yield item;
      isFirst = false;
    }
    yield listEnd(meta);
  };
  return answer(reply).send(Readable.from(whole(), { objectMode: false }));
}

function answer(reply: FastifyReply, status = 200): FastifyReply {
  return reply.code(status).header('content-type', 'application/json');
}

function listEnd(meta: PageMeta): Buffer {
  return Buffer.from(`],"meta":${sortedJson(meta)}}\n`);
}
