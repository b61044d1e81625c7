import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { openDatabase } from '../../../src/domain/database/database.ts';
import { CuttableConnection } from '../../support/cuttable-connection.ts';
import { createTestDatabase, dropTestDatabase } from '../../support/database.ts';
import { type Caller, TestGateway } from '../../support/gateway.ts';
import { all, RequestHistory } from './request-history.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(async () => {
  await gateway?.close();
});

/** A socket that speaks the protocol by hand. */
class RawSocket {
  readonly #socket: WebSocket;
  readonly #messages: Record<string, unknown>[] = [];
  #arrived = (): void => undefined;
  readonly closed: Promise<[code: number, reason: string]>;

  constructor(headers: Record<string, string> = {}, url = gateway.url) {
    this.#socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      headers,
    });
    this.#socket.on('message', (data) => {
      this.#messages.push(JSON.parse(String(data)));
      this.#arrived();
    });
    this.#socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', (code, reason) => resolve([code, String(reason)]));
    });
  }

  async open(): Promise<this> {
    await once(this.#socket, 'open');
    return this;
  }

  send(message: unknown): void {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }

  async receive(): Promise<Record<string, unknown>> {
    while (this.#messages.length === 0) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
    return this.#messages.shift()!;
  }

  close(): void {
    this.#socket.close();
  }
}

const connected = async (headers: Record<string, string>, payload?: object): Promise<RawSocket> => {
  const socket = await new RawSocket(headers).open();
  socket.send({ type: 'connection_init', payload });
  expect(await socket.receive()).toMatchObject({ type: 'connection_ack' });
  return socket;
};

describe('Web sockets', () => {
  test.each<[string, Caller, 'header' | 'payload' | 'none', string | null]>([
    ['the upgrade', 'ada', 'header', 'ada'],
    ['connection_init', 'bob', 'payload', 'bob'],
    ['nothing', 'ada', 'none', null],
  ])('take credentials from %s', async (_title, as, where, name) => {
    const credentials = gateway.headers(as);
    const socket = await connected(
      where === 'header' ? credentials : {},
      where === 'payload' ? credentials : undefined,
    );
    socket.send({ id: '1', type: 'subscribe', payload: { query: '{ me { name } }' } });
    expect(await socket.receive()).toEqual({ id: '1', type: 'next', payload: { data: { me: { name } } } });
    expect(await socket.receive()).toEqual({ id: '1', type: 'complete' });
    socket.close();
  });

  test.each(['Bearer stw_wrong', 'Basic !!!', 'Digest x', 'Bearer'])(
    'are closed for wrong credentials: %s',
    async (authorization) => {
      const socket = await new RawSocket().open();
      socket.send({ type: 'connection_init', payload: { authorization } });
      expect(await socket.closed).toEqual([4403, 'Forbidden']);
    },
  );

  test('are told to try again later when the database is away', async () => {
    const direct = await createTestDatabase();
    const { url, connection } = await CuttableConnection.to(direct);
    const other = await TestGateway.start({ database: await openDatabase({ url, connections: 5 }) });
    const init = { type: 'connection_init', payload: other.headers('ada') };
    connection.cut();
    const early = await new RawSocket({}, other.url).open();
    early.send(init);
    expect(await early.closed).toEqual([1013, 'Try again later']);
    const errors = other.logged.filter(({ msg }) => msg === 'authentication failed');
    expect(errors).toHaveLength(1);

    // The client of graphql-ws does so by itself.
    const client = other.socket('ada', { retryAttempts: 20 });
    const answers = all(client.iterate({ query: '{ me { name } }' }));
    await expect.poll(() => connection.refused).toBeGreaterThan(1);
    connection.mend();
    expect(await answers).toEqual([{ data: { me: { name: 'ada' } } }]);
    await client.dispose();
    await other.close();
    await connection.close();
    await dropTestDatabase(direct);
  });

  test('say nothing before connection_init', async () => {
    const socket = await new RawSocket(gateway.headers('admin')).open();
    socket.send({ id: '1', type: 'subscribe', payload: { query: '{ me { name } }' } });
    expect(await socket.closed).toEqual([4401, 'Unauthorized']);
  });

  test.each([
    ['{ me {', /^Syntax Error/],
    ['{ nothing }', /Cannot query field "nothing"/],
    ['{ me { name }', /^Syntax Error/],
    [`{ ${'a: me { name } '.repeat(4_000)} }`, /tokens|Document contains more/],
  ])('answer a document that is wrong, and live on: %.20s', async (query, message) => {
    const socket = await connected(gateway.headers('ada'));
    socket.send({ id: '1', type: 'subscribe', payload: { query } });
    expect(await socket.receive()).toMatchObject({
      id: '1',
      type: 'error',
      payload: [{ message: expect.stringMatching(message) }],
    });
    socket.send({ id: '2', type: 'subscribe', payload: { query: '{ me { name } }' } });
    expect(await socket.receive()).toMatchObject({ id: '2', type: 'next' });
    socket.close();
  });

  test('keep the limits of HTTP', async () => {
    const small = `{ bundleRequests { nodes { history { state } } } }`;
    const wide = `{ ${Array.from({ length: 401 }, (_, index) => `a${index}: me { name }`).join(' ')} }`;
    const socket = await connected(gateway.headers('ada'));
    socket.send({ id: '1', type: 'subscribe', payload: { query: small } });
    expect(await socket.receive()).toMatchObject({ id: '1', type: 'next' });
    expect(await socket.receive()).toMatchObject({ id: '1', type: 'complete' });
    socket.send({ id: '2', type: 'subscribe', payload: { query: wide } });
    expect(JSON.stringify(await socket.receive())).toContain('Query exceeds maximum');
    socket.close();
  });

  test.each([
    ['not JSON', 'hello', 4400],
    ['an unknown message', { type: 'what' }, 4400],
    ['a second connection_init', { type: 'connection_init' }, 4429],
  ])('are closed for %s', async (_title, message, code) => {
    const socket = await connected({});
    socket.send(message);
    expect((await socket.closed)[0]).toBe(code);
  });

  test('are closed for messages that are too long', async () => {
    const socket = await connected(gateway.headers('ada'));
    socket.send({
      id: '1',
      type: 'subscribe',
      payload: { query: `{ me { name } } #${'x'.repeat(1_000_001)}` },
    });
    expect((await socket.closed)[0]).toBe(1009);
  });

  test('are opened on /graphql only', async () => {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/other`, 'graphql-transport-ws');
    const [error] = (await once(socket, 'error')) as [Error];
    expect(error.message).toBe('Unexpected server response: 404');
  });

  test('that are asked for elsewhere and broken off end nothing but themselves', async () => {
    const { hostname, port, host } = new URL(gateway.url);
    const accepted = Promise.withResolvers<Socket>();
    const notice = (message: unknown): void => accepted.resolve((message as { socket: Socket }).socket);
    subscribe('net.server.socket', notice);
    const socket = connect(Number(port), hostname);
    const head = ['GET /other HTTP/1.1', `host: ${host}`, 'connection: upgrade', 'upgrade: websocket'];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    const server = await accepted.promise;
    unsubscribe('net.server.socket', notice);
    const closed = new Promise((resolve) => server.once('close', resolve));
    await once(socket, 'readable');
    socket.resetAndDestroy();
    await closed;
    // An error that nobody listens to would end the process, and fails the run of the tests.
    expect((await fetch(`${gateway.url}/livez`)).status).toBe(200);
  });

  test('run mutations too', async () => {
    const client = gateway.socket('ada');
    const query = `mutation { createProject(name: "by-socket") { ... on MutationCreateProjectSuccess { data { name } } } }`;
    expect(await all(client.iterate({ query }))).toEqual([
      { data: { createProject: { data: { name: 'by-socket' } } } },
    ]);
    await client.dispose();
  });

  test('errors that nobody expected are masked and logged', async () => {
    const { sql } = gateway.stack.database;
    await sql.query('alter table components rename to away');
    const socket = await connected(gateway.headers('ada'));
    socket.send({ id: '1', type: 'subscribe', payload: { query: '{ components { nodes { purl } } }' } });
    const { payload } = await socket.receive();
    await sql.query('alter table away rename to components');
    expect(payload).toMatchObject({
      data: null,
      errors: [{ message: 'Something went wrong in the server', extensions: { code: 'internal' } }],
    });
    expect(JSON.stringify(payload)).not.toContain('relation');
    expect(gateway.logged.filter(({ msg }) => msg === 'GraphQL resolver failed')).toHaveLength(1);
    socket.close();
  });

  test('a gateway that ends closes them so that clients come back', async () => {
    const request = await RequestHistory.begin(gateway);
    const socket = await connected(gateway.headers('ada'));
    const query = `subscription { bundleRequestEvents(number: ${request.number}) { version } }`;
    socket.send({ id: '1', type: 'subscribe', payload: { query } });
    expect(await socket.receive()).toMatchObject({ type: 'next' });
    await gateway.stop();
    expect(await socket.closed).toEqual([1001, 'Going away']);
    await gateway.startAgain();
  });

  test('a client that does not answer holds up no gateway that ends', async () => {
    const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    socket.pause();
    const started = performance.now();
    await gateway.stop();
    expect(performance.now() - started).toBeLessThan(4_000);
    socket.terminate();
    await gateway.startAgain();
  });
});
