import type { AddressInfo } from 'node:net';
import type { FastifyBaseLogger } from 'fastify';
import Fastify from 'fastify';
import type { Settings } from '../domain/config.ts';
import type { Database } from '../domain/database/database.ts';
import type { EventHub } from '../domain/events/event-hub.ts';
import type { Authenticator } from '../domain/identity/authenticate.ts';
import type { BlobStore } from '../domain/storage/blob-store.ts';

export interface GatewayOptions {
  settings: Settings;
  database: Database;
  blobs: BlobStore;
  hub: EventHub;
  authenticator: Authenticator;
  logger: FastifyBaseLogger;
}

export interface RunningGateway {
  url: string;
  close(): Promise<void>;
}

/** One HTTP server for everything that this process offers. */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { settings, database, blobs, logger } = options;
  const app = Fastify({ loggerInstance: logger });
  app.get('/livez', async () => ({ ok: true }));
  app.get('/readyz', async () => {
    await database.sql.query('select 1');
    await blobs.check();
    return { ok: true };
  });
  await app.listen({ host: settings.host, port: settings.port });
  const { port } = app.server.address() as AddressInfo;
  return { url: `http://${settings.host}:${port}`, close: () => app.close() };
}
