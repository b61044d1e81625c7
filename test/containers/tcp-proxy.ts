import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** In front of servers on loopback: spreads connections over them, as a load balancer does, and can break them all. */
export class TcpProxy {
  readonly #targets: () => readonly number[];
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #next = 0;

  private constructor(server: Server, targets: () => readonly number[]) {
    this.#server = server;
    this.#targets = targets;
  }

  /** @param targets ports of those who serve now; one that does not answer is passed over */
  static async listen(targets: () => readonly number[]): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const proxy = new TcpProxy(server, targets);
    server.on('connection', (client) => void proxy.#serve(client));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Breaks every connection in the middle of whatever it carries; returns how many there were. */
  cut(): number {
    const sockets = [...this.#sockets];
    for (const socket of sockets) socket.resetAndDestroy();
    return sockets.length / 2;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(client: Socket): Promise<void> {
    client.on('error', () => client.destroy());
    const server = await this.#connect();
    if (server === null || client.destroyed) {
      server?.destroy();
      client.resetAndDestroy();
      return;
    }
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => from.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }

  async #connect(): Promise<Socket | null> {
    const targets = this.#targets();
    for (let tried = 0; tried < targets.length; tried++) {
      this.#next += 1;
      const socket = connect({
        port: targets[this.#next % targets.length]!,
        host: '127.0.0.1',
        allowHalfOpen: true,
        noDelay: true,
      });
      try {
        await once(socket, 'connect');
        return socket;
      } catch {
        socket.destroy();
      }
    }
    return null;
  }
}
