import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a server that can be cut: what is open breaks, and nothing new gets through until it is mended. */
export class CuttableConnection {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #isCut = false;
  #isPolite = false;
  /** How often somebody came while it was cut. */
  refused = 0;

  private constructor(target: URL) {
    this.#server = createServer((client) => {
      if (this.#isCut) {
        this.refused += 1;
        if (!this.#isPolite) return client.resetAndDestroy();
        return client.on('error', () => undefined).once('data', () => client.end());
      }
      const server = connect(Number(target.port), target.hostname);
      for (const [socket, other] of [
        [client, server],
        [server, client],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
  }

  /** The URL of the way to it beside the connection. */
  static async to(url: string): Promise<{ url: string; connection: CuttableConnection }> {
    const target = new URL(url);
    const connection = new CuttableConnection(new URL(url));
    connection.#server.listen(0, '127.0.0.1');
    await once(connection.#server, 'listening');
    target.port = String((connection.#server.address() as AddressInfo).port);
    return { url: target.href, connection };
  }

  get isInUse(): boolean {
    return this.#sockets.size > 0;
  }

  /** `isPolite`: who comes while it is cut is heard, and sent away in order, as by a proxy whose server is away. */
  cut({ isPolite = false } = {}): void {
    this.#isCut = true;
    this.#isPolite = isPolite;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
