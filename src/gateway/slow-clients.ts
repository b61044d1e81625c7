import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyBaseLogger } from 'fastify';
import { maskedUrl } from './masked-url.ts';
import { answerUnreadable } from './unreadable-requests.ts';

/** How long the average is taken over: a client may pause, or have a network that does. */
const WINDOW_MS = 300_000;
const LOOKS_IN_A_WINDOW = 10;

export interface PaceOptions {
  /** 0: any pace will do. */
  bytesPerSecond: number;
  logger: FastifyBaseLogger;
  windowMs?: number;
}

/** A request and its answer, as far as its client has to do something about them. */
interface Exchange {
  request: IncomingMessage;
  answer: ServerResponse;
  /** Since when it is the client that is waited for, and the bytes that it had moved then; null: it is not. */
  sending: Waiting | null;
  taking: Waiting | null;
}

interface Waiting {
  since: number;
  moved: Moved;
}

/** Two counts, of which the larger difference is right: the first one grows only with whole pieces. */
type Moved = readonly [bytes: number, other: number];

/**
 * Cuts off clients that send their request, or take its answer, so slowly that they only hold a connection: below so many
 * bytes a second on average while nothing but they is waited for. That a client does nothing at all is told by the idle time
 * of the connection already. An upload is answered with 408, an answer breaks off.
 */
export function watchPace(server: Server, { bytesPerSecond, logger, windowMs = WINDOW_MS }: PaceOptions) {
  if (bytesPerSecond === 0) return { close: () => undefined };
  const exchanges = new Set<Exchange>();
  const isSlow = (waiting: Waiting | null, moved: Moved): boolean => {
    if (waiting === null) return false;
    const elapsed = performance.now() - waiting.since;
    if (elapsed < windowMs) return false;
    if (bytesBetween(waiting.moved, moved) < (bytesPerSecond * elapsed) / 1_000) return true;
    // The next window begins.
    Object.assign(waiting, { since: performance.now(), moved });
    return false;
  };
  server.on('request', (request: IncomingMessage, answer: ServerResponse) => {
    const exchange = { request, answer, sending: null, taking: null };
    exchanges.add(exchange);
    answer.once('close', () => {
      if (request.complete) exchanges.delete(exchange);
    });
  });
  const everyMs = windowMs / LOOKS_IN_A_WINDOW;
  let lookedAt = performance.now();
  const timer = setInterval(() => {
    const hasSlept = performance.now() - lookedAt > 2 * everyMs;
    lookedAt = performance.now();
    for (const exchange of exchanges) {
      const { request, answer } = exchange;
      const { socket } = request;
      if (socket.destroyed || (request.complete && answer.writableFinished)) {
        exchanges.delete(exchange);
        continue;
      }
      // While this process stood still, nothing of what clients did was noticed.
      if (hasSlept) Object.assign(exchange, { sending: null, taking: null });
      const sent = sentBy(socket);
      const taken = takenBy(socket);
      exchange.sending = stillWaiting(exchange.sending, isSending(request), sent);
      exchange.taking = stillWaiting(exchange.taking, socket.writableLength > 0, taken);
      const isSlowSender = isSlow(exchange.sending, sent);
      if (!isSlowSender && !isSlow(exchange.taking, taken)) continue;
      exchanges.delete(exchange);
      const facts = { method: request.method, url: maskedUrl(request.url ?? '') };
      logger.info({ ...facts, remoteAddress: socket.remoteAddress }, 'a client was too slow');
      if (isSlowSender && !answer.headersSent) answerUnreadable(new TooSlowError(), socket);
      else socket.destroy();
    }
  }, everyMs);
  timer.unref();
  return { close: () => clearInterval(timer) };
}

class TooSlowError extends Error {
  readonly code = 'ERR_HTTP_REQUEST_TIMEOUT';
}

function stillWaiting(before: Waiting | null, isWaiting: boolean, moved: Moved): Waiting | null {
  if (!isWaiting) return null;
  return before ?? { since: performance.now(), moved };
}

/** What has come and is not read yet shows that it is us who are slow. */
function isSending(request: IncomingMessage): boolean {
  return !request.complete && request.readableLength === 0;
}

function sentBy({ bytesRead }: Socket): Moved {
  return [bytesRead, bytesRead];
}

function takenBy(socket: Socket): Moved {
  const { bytesWritten, writableLength } = socket;
  const { _handle: handle } = socket as Socket & { _handle?: { writeQueueSize?: number } | null };
  const whole = bytesWritten - writableLength;
  return [whole, whole - (handle?.writeQueueSize ?? 0)];
}

function bytesBetween(before: Moved, now: Moved): number {
  return Math.max(now[0] - before[0], now[1] - before[1]);
}
