import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { RegistryTarget } from './registry-client.ts';

/** The yardstick gives a manifest only to who says that they know its type. */
const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

export interface WireAnswer {
  status: number;
  location: string | null;
  /** Of an upload, as its Range says; 0: nothing, or no such header. */
  received: number;
  /** Of the body. */
  bytes: number;
}

/** HTTP/1.1 with known lengths over one connection: as much of it as the benchmark of the registry needs. */
export class WireConnection {
  readonly #socket: Socket;
  #head: Buffer = Buffer.alloc(0);
  #left = -1;
  #answer: WireAnswer = { status: 0, location: null, received: 0, bytes: 0 };
  #method = '';
  #waiting: PromiseWithResolvers<WireAnswer> | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the registry has closed the connection')));
  }

  static async open({ host, port }: RegistryTarget): Promise<WireConnection> {
    const socket = connect({ host, port });
    await once(socket, 'connect');
    return new WireConnection(socket);
  }

  async request(
    method: string,
    path: string,
    target: RegistryTarget,
    body: readonly Buffer[] = [],
    from: number | null = null,
  ): Promise<WireAnswer> {
    this.#method = method;
    this.#left = -1;
    this.#waiting = Promise.withResolvers();
    const { promise } = this.#waiting;
    this.#socket.write(headOf(method, path, target, body, from));
    for (const piece of body) if (!this.#socket.write(piece)) await once(this.#socket, 'drain');
    return await promise;
  }

  /** Sends the head and so many bytes of the body, and breaks the connection. */
  async breakOff(
    method: string,
    path: string,
    target: RegistryTarget,
    body: readonly Buffer[],
    bytes: number,
    from: number,
  ): Promise<void> {
    this.#waiting = null;
    this.#socket.write(headOf(method, path, target, body, from));
    let left = bytes;
    for (const piece of body) {
      if (left <= 0) break;
      if (!this.#socket.write(piece.subarray(0, left))) await once(this.#socket, 'drain');
      left -= piece.length;
    }
    this.#socket.resetAndDestroy();
  }

  close(): void {
    this.#waiting = null;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    if (this.#left < 0) {
      this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = this.#head.toString('latin1', 0, end);
      const rest = this.#head.subarray(end + 4);
      this.#head = Buffer.alloc(0);
      const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
      const bytes = this.#method === 'HEAD' ? 0 : length;
      const location = /^location: *(.*)$/im.exec(head)?.[1] ?? null;
      const last = /^range: *(?:bytes=)?0-(\d+)/im.exec(head)?.[1];
      const received = last === undefined ? 0 : Number(last) + 1;
      this.#answer = { status: Number(head.slice(9, 12)), location, received, bytes };
      this.#left = bytes - rest.length;
    } else {
      this.#left -= chunk.length;
    }
    if (this.#left > 0) return;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.resolve(this.#answer);
  }
}

function headOf(
  method: string,
  path: string,
  { host, port, authorization }: RegistryTarget,
  body: readonly Buffer[],
  from: number | null,
): string {
  const length = body.reduce((sum, piece) => sum + piece.length, 0);
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}:${port}`,
    `Accept: ${MANIFEST_TYPE}`,
    ...(authorization === null ? [] : [`Authorization: ${authorization}`]),
    ...(method === 'GET' || method === 'HEAD' ? [] : [`Content-Length: ${length}`]),
    ...(from === null ? [] : [`Content-Range: ${from}-${from + length - 1}`]),
    ...(length > 0 ? ['Content-Type: application/octet-stream'] : []),
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
