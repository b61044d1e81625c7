import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { createYoga } from 'graphql-yoga';
import { ANONYMOUS, type Principal } from '../../domain/identity/principal.ts';
import type { Tracing } from '../../domain/tracing/tracing.ts';
import { baseUrlOf } from '../base-url.ts';
import { clientError, retryAfterOf } from '../http-errors.ts';
import type { RequestRate } from '../request-rate.ts';
import { type ContextServices, contextOf, type GraphQLContext, type OperationOrigin } from './context.ts';
import { countSubscriptions } from './count-subscriptions.ts';
import { endWithCredentials } from './end-with-credentials.ts';
import { hiddenSchema } from './hidden-schema.ts';
import { maskError } from './mask-error.ts';
import { multipartUploads } from './multipart-uploads.ts';
import { parseLimits } from './parse-limits.ts';
import { EXTRA_PARAMETERS, type PersistedOperations, persistedOperations } from './persisted-operations.ts';
import { schema } from './schema.ts';
import { attachSockets } from './sockets.ts';
import { storableText } from './storable-text.ts';
import { tracedOperations } from './traced-operations.ts';
import { WELCOME_QUERY } from './welcome-query.ts';

export interface GraphQLServices extends ContextServices {
  logger: FastifyBaseLogger;
  principalOf: (request: FastifyRequest) => Promise<Principal>;
  /** Open subscriptions, for the metrics. */
  subscribers: { inc(): void; dec(): void };
  authenticate: (request: IncomingMessage, authorization: string | undefined) => Promise<Principal>;
  /** The same once more, for credentials that were good; see {@link endWithCredentials}. */
  authenticateAgain: GraphQLServices['authenticate'];
  credentialsCheckMs?: number;
  /** Between two pings to a web socket. */
  socketPingMs?: number;
  operations: PersistedOperations;
  tracing?: Tracing | null;
  rate: RequestRate;
}

const CREDENTIALS_CHECK_MS = 30_000;

type YogaServerContext = OperationOrigin & { req: FastifyRequest; reply: FastifyReply };

export const GRAPHQL_PATH = '/graphql';

/** `/graphql`: queries, mutations and uploads over HTTP, subscriptions over SSE and graphql-ws, GraphiQL for browsers. */
export function registerGraphQL(app: FastifyInstance, services: GraphQLServices): { close(): Promise<void> } {
  const { settings, logger, principalOf } = services;
  const yoga = createYoga<YogaServerContext, GraphQLContext>({
    schema,
    graphqlEndpoint: GRAPHQL_PATH,
    healthCheckEndpoint: '/graphql/health',
    context: (origin) => contextOf(services, origin),
    maskedErrors: { maskError: maskError(logger) },
    // Our own parser reads multipart requests; the size limiter would read the same socket.
    multipart: false,
    maxRequestBodySize: false,
    cors: false,
    landingPage: false,
    logging: false,
    extraParamNames: EXTRA_PARAMETERS,
    plugins: [
      persistedOperations(services.operations),
      ...(settings.graphqlIntrospection ? [] : [hiddenSchema]),
      multipartUploads(settings.limits.uploadBytes),
      parseLimits,
      storableText,
      countSubscriptions(services.subscribers),
      endWithCredentials(services.credentialsCheckMs ?? CREDENTIALS_CHECK_MS),
      ...(services.tracing ? [tracedOperations(services.tracing)] : []),
    ],
    graphiql: {
      title: 'Stowage',
      defaultQuery: WELCOME_QUERY,
      shouldPersistHeaders: true,
      // The session of the browser, see auth/session-cookie.ts.
      credentials: 'same-origin',
    },
    renderGraphiQL: async (options) => {
      const { renderGraphiQL } = await import('@graphql-yoga/render-graphiql');
      return renderGraphiQL(options);
    },
  });

  const streams = new Set<ServerResponse>();
  app.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null));
  app.route({
    url: GRAPHQL_PATH,
    method: ['GET', 'POST'],
    errorHandler: answerInGraphQL,
    handler: async (req, reply) => {
      const principal = isPageVisit(req) ? ANONYMOUS : await principalOf(req);
      if ((req.headers.accept ?? '').includes('text/event-stream')) streams.add(reply.raw);
      reply.raw.once('close', () => streams.delete(reply.raw));
      const checkCredentials = () => services.authenticateAgain(req.raw, req.headers.authorization);
      const baseUrl = baseUrlOf(settings, req);
      const origin = { principal, baseUrl, address: req.ip, checkCredentials, req, reply };
      return await yoga.handleNodeRequestAndResponse(req, reply, origin);
    },
  });
  const sockets = attachSockets(app.server, yoga, services);
  return {
    async close() {
      await sockets.close();
      // Broken off, not completed: their clients resume at another gateway.
      for (const stream of streams) stream.destroy();
    },
  };
}

/** A browser that opens the page: it has no credentials yet and asks nothing. */
function isPageVisit(request: FastifyRequest): boolean {
  return (
    request.method === 'GET' &&
    (request.headers.accept ?? '').includes('text/html') &&
    !(request.query as { query?: string }).query
  );
}

/** What goes wrong before GraphQL is reached, in the shape that GraphQL clients read. */
function answerInGraphQL(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { status, told } = clientError(error, request);
  // No Basic here: browsers would ask for a password over GraphiQL.
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="Stowage"');
  if (status === 429) reply.header('retry-after', retryAfterOf(error));
  const { message, code, hint, details } = told;
  reply
    .code(status)
    .header('cache-control', 'no-store')
    .send({ errors: [{ message, extensions: { code, hint, details } }] });
}
