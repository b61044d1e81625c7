import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import type { Settings } from '../domain/config.ts';
import { type Span, withinSpan } from '../domain/tracing/span.ts';
import type { Tracing } from '../domain/tracing/tracing.ts';
import { trustsAddress } from './auth/trusted-proxy.ts';
import { QUIET_ROUTES } from './request-log.ts';

interface TraceOptions {
  tracing?: Tracing | null;
  settings: Pick<Settings, 'trustedProxies'>;
}

/**
 * Each request as a span, by the pattern of its path. It is a part of the trace that the sender names if that is a trusted
 * proxy; of anybody else, who could have everything traced, a request begins a trace of its own. Call it on the root,
 * before anything else.
 */
export function registerTraces(app: FastifyInstance, { tracing, settings }: TraceOptions): void {
  if (!tracing) return;
  const isTrusted = trustsAddress(settings);
  const spans = new WeakMap<IncomingMessage, Span>();
  app.addHook('onRequest', (request, reply, done) => {
    const { raw, method, routeOptions } = request;
    const { url: route } = routeOptions;
    if (QUIET_ROUTES.has(route ?? '')) return done();
    const { traceparent } = request.headers;
    const span = tracing.start(route === undefined ? method : `${method} ${route}`, {
      kind: 'server',
      parent: typeof traceparent === 'string' && isTrusted(raw.socket.remoteAddress) ? traceparent : null,
      attributes: {
        'http.request.method': method,
        ...(route !== undefined && { 'http.route': route }),
        'stowage.request_id': request.id,
      },
    });
    spans.set(raw, span);
    reply.raw.once('close', () => {
      const { headersSent, statusCode } = reply.raw;
      if (headersSent) span.set({ 'http.response.status_code': statusCode });
      if (!headersSent) span.fail('aborted');
      else if (statusCode >= 500) span.fail(String(statusCode));
      span.end();
    });
    withinSpan(span, done);
  });
  // What reads a body may have left the span.
  app.addHook('preValidation', (request, _reply, done) => withinSpan(spans.get(request.raw) ?? null, done));
}
