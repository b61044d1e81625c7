import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import { boundToSpan } from '../domain/tracing/span.ts';
import { maskedUrl } from './masked-url.ts';

/** What may come in `x-request-id` and go into every log line of the request. */
const SANE_ID = /^[\w.:@/+=-]{1,128}$/;

/** Asked for all day long by machines: logged for debugging only. */
export const QUIET_ROUTES = new Set(['/livez', '/readyz', '/metrics']);

/** Options for Fastify: every request has an id, and nothing secret of it reaches the log. */
export function requestLogOptions(logger: FastifyBaseLogger) {
  return {
    loggerInstance: logger.child({}, { serializers: { req: requestForLog } }),
    // One line a request, written below, instead of Fastify's two.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'requestId' }),
    requestIdHeader: false as const,
    genReqId: requestId,
  };
}

/** Logs each request when it is over, and tells the client its id. Call it on the root, before routes are added. */
export function registerRequestLog(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    const started = performance.now();
    // On the raw answer, so that it is also in answers that are not the framework's.
    reply.raw.setHeader('x-request-id', request.id);
    reply.raw.once(
      'close',
      boundToSpan(() => logRequest(request, reply, started)),
    );
    done();
  });
}

function logRequest(request: FastifyRequest, reply: FastifyReply, started: number): void {
  const { raw } = reply;
  const facts = {
    method: request.method,
    url: maskedUrl(request.url),
    status: raw.headersSent ? raw.statusCode : null,
    milliseconds: Math.round((performance.now() - started) * 10) / 10,
    remoteAddress: request.ip,
    ...(!raw.writableFinished && { aborted: true }),
  };
  if (QUIET_ROUTES.has(request.routeOptions.url ?? '')) request.log.debug(facts, 'request');
  else request.log.info(facts, 'request');
}

function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && SANE_ID.test(given) ? given : randomUUID();
}

/** For log lines about errors: no headers at all, so no authorization and no cookies. */
function requestForLog(request: FastifyRequest): object {
  return { method: request.method, url: maskedUrl(request.url ?? ''), remoteAddress: request.ip };
}
