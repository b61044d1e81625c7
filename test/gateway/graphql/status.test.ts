import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import { type Database, openDatabase } from '../../../src/domain/database/database.ts';
import { EventHub } from '../../../src/domain/events/event-hub.ts';
import { Authenticator } from '../../../src/domain/identity/authenticate.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { type RunningGateway, startGateway } from '../../../src/gateway/server.ts';
import { createTestDatabase, dropTestDatabase } from '../../support/database.ts';

const QUERY =
  '{ status { services { name ok reason } workers { name } canProcess { packageManager ok } unavailable } }';

/** A way to the database that can be cut off. */
class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #state: 'open' | 'silent' = 'open';

  constructor(host: string, port: number) {
    this.#server = createServer((client) => {
      this.#keep(client);
      if (this.#state === 'silent') return;
      const server = connect(port, host);
      this.#keep(server);
      client.pipe(server).pipe(client);
    });
  }

  async open(): Promise<number> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return (this.#server.address() as { port: number }).port;
  }

  /** Takes connections and bytes, and answers nothing any more. */
  silence(): void {
    this.#state = 'silent';
    for (const socket of this.#sockets) {
      socket.unpipe();
      socket.removeAllListeners('data');
      socket.resume();
    }
  }

  /** Refuses everything. */
  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }
}

describe('status, for everybody, within five seconds', () => {
  let url: string;
  let directory: string;
  const endings: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    url = await createTestDatabase();
    directory = await mkdtemp(join(tmpdir(), 'stowage-status-'));
  });
  afterAll(async () => {
    for (const end of endings.toReversed()) await end();
    await dropTestDatabase(url);
    await rm(directory, { recursive: true, force: true });
  });

  async function start(): Promise<{ gateway: RunningGateway; relay: Relay }> {
    const target = new URL(url);
    const relay = new Relay(target.hostname, Number(target.port));
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String(await relay.open());
    const database: Database = await openDatabase({ url: through.href, connections: 2 });
    const hub = new EventHub(database);
    await hub.start();
    const settings = readSettings({
      STOWAGE_DATA_DIR: directory,
      STOWAGE_PORT: '0',
      STOWAGE_PACKAGE_MANAGERS: 'npm',
    });
    const blobs = new FileBlobStore(join(directory, 'blobs'));
    const logger = pino({ level: 'silent' });
    const authenticator = new Authenticator(database);
    const gateway = await startGateway({ settings, database, blobs, hub, authenticator, logger });
    endings.push(async () => {
      relay.close();
      await gateway.close();
      await hub.close();
      await database.close().catch(() => undefined);
    });
    return { gateway, relay };
  }

  async function ask(gateway: RunningGateway): Promise<{ graphql: unknown; rest: unknown; short: unknown }> {
    const started = performance.now();
    const post = { method: 'POST', headers: { 'content-type': 'application/json' } };
    const [graphql, rest, short] = await Promise.all(
      [
        fetch(`${gateway.url}/graphql`, { ...post, body: JSON.stringify({ query: QUERY }) }),
        fetch(`${gateway.url}/api/v1/status`),
        fetch(`${gateway.url}/api/v1/status/short`),
      ].map(async (answer) => await (await answer).json()),
    );
    expect(performance.now() - started).toBeLessThan(5_000);
    return { graphql, rest, short };
  }

  const withoutDatabase = [
    { name: 'database', ok: false, reason: 'database connection failed' },
    { name: 'queue', ok: false, reason: 'broker connection failed' },
  ];

  test('with everything there but workers', async () => {
    const { gateway } = await start();
    expect(await ask(gateway)).toEqual({
      graphql: {
        data: {
          status: {
            services: ['database', 'queue', 'storage'].map((name) => ({ name, ok: true, reason: null })),
            workers: [],
            canProcess: [{ packageManager: 'NPM', ok: false }],
            unavailable: 'no workers are available',
          },
        },
      },
      rest: {
        can_process: { npm: false },
        services: ['database', 'queue', 'storage'].map((name) => ({ name, ok: true })),
        workers: [],
      },
      short: { ok: false, reason: 'no workers are available' },
    });
  });

  test.each(['close', 'silence'] as const)('with a database that is gone: %s', async (how) => {
    const { gateway, relay } = await start();
    relay[how]();
    const { graphql, rest, short } = await ask(gateway);
    expect(graphql).toMatchObject({
      data: { status: { unavailable: 'database unavailable: database connection failed' } },
    });
    expect(rest).toEqual({
      can_process: { npm: false },
      services: [...withoutDatabase, { name: 'storage', ok: true }],
      workers: [],
    });
    expect(short).toEqual({ ok: false, reason: 'database unavailable: database connection failed' });
  });
});
