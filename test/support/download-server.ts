import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyBaseLogger, type FastifyHttpOptions } from 'fastify';
import { pino } from 'pino';
import { Authenticator } from '../../src/domain/identity/authenticate.ts';
import type { DownloadServices } from '../../src/gateway/downloads/register-downloads.ts';
import { registerDownloads } from '../../src/gateway/downloads/register-downloads.ts';

export interface DownloadServer {
  url: string;
  /** What was logged, parsed. */
  logged: Record<string, unknown>[];
  close(): Promise<void>;
}

/** The downloads on a server of their own, on a port of loopback. */
export async function startDownloadServer(
  services: Pick<DownloadServices, 'settings' | 'database' | 'blobs'>,
  options: FastifyHttpOptions<Server> = {},
): Promise<DownloadServer> {
  const logged: Record<string, unknown>[] = [];
  const logger: FastifyBaseLogger = pino(
    { level: 'debug' },
    { write: (line: string) => void logged.push(JSON.parse(line)) },
  );
  const authenticator = new Authenticator(services.database);
  const app = Fastify({ ...options, loggerInstance: logger, forceCloseConnections: true });
  registerDownloads(app, {
    ...services,
    logger,
    principalOf: (request) => authenticator.authenticate(request.headers.authorization),
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, logged, close: () => app.close() };
}
