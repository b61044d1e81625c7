import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { type DocumentNode, GraphQLError } from 'graphql';
import { CloseCode } from 'graphql-ws';
import { type Extra, useServer } from 'graphql-ws/use/ws';
import type { YogaServerInstance } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { DomainError } from '../../domain/errors.ts';
import type { Principal } from '../../domain/identity/principal.ts';
import { baseUrlOf } from '../base-url.ts';
import type { GraphQLContext, OperationOrigin } from './context.ts';
import { GRAPHQL_PATH, type GraphQLServices } from './graphql-endpoint.ts';
import { maskError } from './mask-error.ts';

const LONGEST_MESSAGE = 1_000_000;
/** For clients to confirm that the connection is closed. */
const FAREWELL_MS = 1_000;

/** The protocol of graphql-ws on the same path. Credentials come with the upgrade or in `connection_init`. */
export function attachSockets(
  server: Server,
  // biome-ignore lint/suspicious/noExplicitAny: Yoga's context types are invariant.
  yoga: YogaServerInstance<any, GraphQLContext>,
  { settings, authenticate, authenticateAgain, operations, logger }: GraphQLServices,
): { close(): Promise<void> } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: LONGEST_MESSAGE });
  /** Finds out anew whose connection it is. */
  const checks = new WeakMap<object, () => Promise<Principal>>();

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url?.split('?', 1)[0] !== GRAPHQL_PATH) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    socket.on('error', () => socket.destroy());
    sockets.handleUpgrade(request, socket, head, (opened) => {
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
      execute: (args) => (args.rootValue as Enveloped).execute(args),
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
          if (!(error instanceof DomainError)) logger.error({ err: error }, 'authentication failed');
          extra.socket?.close(CloseCode.Forbidden, 'Forbidden');
          return false;
        }
      },
      onSubscribe: async ({ extra }, _id, params) => {
        const raw = extra.request!;
        const protocol = raw.socket instanceof TLSSocket ? 'https' : 'http';
        const baseUrl = baseUrlOf(settings, { protocol, host: raw.headers.host ?? '', raw });
        const checkCredentials = checks.get(extra)!;
        const principal = await checkCredentials().catch(maskError(logger));
        if (principal instanceof GraphQLError) return [principal];
        const address = raw.socket.remoteAddress;
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
          rootValue: { execute, subscribe } satisfies Enveloped,
        };
      },
    },
    sockets,
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
}
