import { pipeline } from 'node:stream/promises';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LogLine } from '../../domain/logs/log-line.ts';
import type { OpenedLog } from '../../domain/logs/stream-log.ts';
import { INERT, logBreak, takeOver } from './send-representation.ts';

/** Lines of a log as text. How many there are and whether more will come stands in the headers. */
export async function sendLog(
  request: FastifyRequest,
  reply: FastifyReply,
  log: OpenedLog,
  afterNumber: number,
  textOfLine = textOf,
): Promise<void> {
  const response = takeOver(reply, 200, {
    ...INERT,
    'content-type': 'text/plain; charset=utf-8',
    'cache-control': 'private, no-cache',
    'accept-ranges': 'none',
    'stowage-log-lines': log.total,
    'stowage-log-closed': String(log.closed),
  });
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  try {
    await pipeline(textsOf(log.pages(afterNumber), textOfLine), response);
  } catch (error) {
    logBreak(request, 'log', error);
  }
}

async function* textsOf(
  pages: AsyncIterable<LogLine[]>,
  textOfLine: (line: LogLine) => string,
): AsyncGenerator<string> {
  for await (const page of pages) yield page.map((line) => `${textOfLine(line)}\n`).join('');
}

function textOf({ at, level, source, text }: LogLine): string {
  return `${at.toISOString()} ${level.padEnd(5)} ${source}: ${text}`;
}
