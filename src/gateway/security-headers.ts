import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { answerError } from './http-errors.ts';
import { answerUnreadable } from './unreadable-requests.ts';

const SECOND = 1_000;

/** Options for Fastify: what a client may make the server hold in memory, and for how long it may keep it waiting. */
export const SERVER_LIMITS = {
  /** Bytes of a body that the framework parses. Uploads are streamed and have limits of their own. */
  bodyLimit: 1_000_000,
  /** Without a byte in either direction for so long, a connection is closed. Subscriptions send pings. */
  connectionTimeout: 120 * SECOND,
  keepAliveTimeout: 72 * SECOND,
  /** Until the last byte of a request is there, uploads among them. */
  requestTimeout: 3_600 * SECOND,
  http: {
    maxHeaderSize: 32 * 1024,
    headersTimeout: 20 * SECOND,
    /** How often those that are late are looked for. */
    connectionsCheckingInterval: 5 * SECOND,
    /** Clients that offer another protocol for the same request, HTTP/2 mostly, are answered in ours. */
    shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket',
  },
  clientErrorHandler: answerUnreadable,
  routerOptions: { maxParamLength: 512 },
  onProtoPoisoning: 'error' as const,
  onConstructorPoisoning: 'error' as const,
  /** URLs that cannot be decoded. */
  frameworkErrors: (error: unknown, request: unknown, reply: unknown): void => {
    answerError(error, request as FastifyRequest, reply as FastifyReply);
  },
};

const HEADERS: readonly (readonly [name: string, value: string])[] = [
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
  ['cross-origin-opener-policy', 'same-origin'],
  ['cross-origin-resource-policy', 'same-origin'],
];

/**
 * Headers of every answer, also of those that are written past the framework. A page may set its own afterwards; a
 * content security policy is a matter of each page.
 */
export function registerSecurityHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (_request, reply, done) => {
    for (const [name, value] of HEADERS) reply.raw.setHeader(name, value);
    done();
  });
}
