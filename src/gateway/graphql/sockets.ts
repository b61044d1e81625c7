import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type DocumentNode, GraphQLError } from 'graphql';
import { CloseCode } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import type { YogaServerInstance } from 'graphql-yoga';
import { type WebSocket, WebSocketServer } from 'ws';
import { asDatabaseUnavailable } from '../../domain/database/connection-lost.ts';
import { DomainError, TooManyRequestsError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/identity/principal.ts';
import { clientReader } from '../auth/client.ts';
import { baseUrlOf } from '../base-url.ts';
import type { GraphQLContext, OperationOrigin } from './context.ts';
import { GRAPHQL_PATH, type GraphQLServices } from './graphql-endpoint.ts';
import { maskError } from './mask-error.ts';
import { SocketPace } from './socket-pace.ts';

const LONGEST_MESSAGE = 1_000_000;
/** Of one connection, at a time. */
const MOST_OPERATIONS = 500;
/** Between two pings. Who has not answered one by the next is cut off, and resumes at the last item that it saw. */
const PING_MS = 12_000;
/** For clients to confirm that the connection is closed. */
const FAREWELL_MS = 1_000;

/** The protocol of graphql-ws on the same path. Credentials come with the upgrade or in `connection_init`. */
export function attachSockets(
  server: Server,
  // biome-ignore lint/suspicious/noExplicitAny: Yoga's context types are invariant.
  yoga: YogaServerInstance<any, GraphQLContext>,
  services: GraphQLServices,
): { close(): Promise<void> } {
  const { settings, authenticate, authenticateAgain, operations, logger, rate } = services;
  const clientOf = clientReader(settings);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: LONGEST_MESSAGE });
  /** Finds out anew whose connection it is. */
  const checks = new WeakMap<object, () => Promise<Principal>>();
  const paces = new WeakMap<object, SocketPace>();

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // The server listens for them no longer; one that nobody listens for ends the process.
    socket.on('error', () => socket.destroy());
    if (request.url?.split('?', 1)[0] !== GRAPHQL_PATH) {
      const answer = 'HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';
      socket.end(answer, () => socket.destroy());
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => {
      silenceLostAnswers(opened);
      paces.set(opened, new SocketPace(opened, socket));
      sockets.emit('connection', opened, request);
      // What clients do wrong closes their connection; it is nothing to print on the console.
      opened.removeAllListeners('error');
      opened.on('error', (error) => logger.debug({ err: error }, 'web socket failed'));
    });
  });

  const protocol = useServer<{ authorization?: unknown }, Partial<Extra>>(
    {
      // Reasons of a close say nothing of what failed inside.
      isProd: true,
      execute: (args) => {
        const { execute, pace } = args.rootValue as Enveloped;
        return pace.run(() => execute(args));
      },
      subscribe: (args) => (args.rootValue as Enveloped).subscribe(args),
      onConnect: async ({ connectionParams, extra }) => {
        const { authorization } = connectionParams ?? {};
        const request = extra.request!;
        const header = typeof authorization === 'string' ? authorization : request.headers.authorization;
        try {
          await authenticate(request, header);
          checks.set(extra, () => authenticateAgain(request, header));
          return true;
        } catch (error) {
          extra.socket?.close(...closeFor(error, logger));
          return false;
        }
      },
      onSubscribe: async ({ extra, subscriptions }, _id, params) => {
        if (Object.keys(subscriptions).length > MOST_OPERATIONS) return [tooMany()];
        const raw = extra.request!;
        const { address, ...reached } = clientOf(raw);
        const baseUrl = baseUrlOf(settings, { ...reached, raw });
        try {
          rate.take(address);
        } catch (error) {
          return [maskError(logger)(error)];
        }
        const checkCredentials = checks.get(extra)!;
        const principal = await checkCredentials().catch(maskError(logger));
        if (principal instanceof GraphQLError) return [principal];
        const origin: OperationOrigin = { principal, baseUrl, address, checkCredentials };
        const enveloped = yoga.getEnveloped({ ...origin, params });
        const { schema, parse, validate, contextFactory, execute, subscribe } = enveloped;
        const document = documentOf(() => parse(operations.resolve(params).query));
        if (document instanceof GraphQLError) return [document];
        const errors = validate(schema, document);
        if (errors.length > 0) return errors;
        return {
          schema,
          document,
          operationName: params.operationName,
          variableValues: params.variables,
          contextValue: await contextFactory(),
          rootValue: { execute, subscribe, pace: paces.get(extra.socket!)! } satisfies Enveloped,
        };
      },
    },
    sockets,
    services.socketPingMs ?? PING_MS,
  );
  return {
    close: async () => {
      const deadline = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
      }, FAREWELL_MS);
      await protocol.dispose();
      clearTimeout(deadline);
    },
  };
}

/**
 * The code and the reason. Clients of graphql-ws come again by themselves after 1013 (and after 4403, with a password that
 * may be right by then), never after 4500.
 */
function closeFor(error: unknown, logger: GraphQLServices['logger']): [code: number, reason: string] {
  const known = asDatabaseUnavailable(error) ?? error;
  if (known instanceof DomainError && !known.retryable) return [CloseCode.Forbidden, 'Forbidden'];
  logger.error({ err: error }, 'authentication failed');
  return known instanceof DomainError
    ? [TRY_AGAIN_LATER, 'Try again later']
    : [CloseCode.InternalServerError, 'Internal server error'];
}

/** What a connection that is gone did not take is no error: its end ends its operations. The library would print each. */
function silenceLostAnswers(opened: WebSocket): void {
  const send = opened.send.bind(opened) as (data: string, done: () => void) => void;
  opened.send = ((data: string, done: () => void) => send(data, () => done())) as WebSocket['send'];
}

/** In the registry of close codes of RFC 6455. */
const TRY_AGAIN_LATER = 1013;

function tooMany(): GraphQLError {
  const { message, code, hint, details } = new TooManyRequestsError(
    `A connection may have ${MOST_OPERATIONS} operations at a time`,
    { hint: 'End some of them, or open another connection.' },
  );
  return new GraphQLError(message, { extensions: { code, hint, details } });
}

/** A document that cannot be read is an error of its operation, not of the whole connection. */
function documentOf(read: () => DocumentNode): DocumentNode | GraphQLError {
  try {
    return read();
  } catch (error) {
    if (error instanceof GraphQLError) return error;
    throw error;
  }
}

interface Enveloped {
  // biome-ignore lint/suspicious/noExplicitAny: as Yoga types them.
  execute: (args: any) => any;
  // biome-ignore lint/suspicious/noExplicitAny: as Yoga types them.
  subscribe: (args: any) => any;
  pace: SocketPace;
}
