import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import Fastify, { type FastifyBaseLogger, type FastifyHttpOptions, type FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import type { ByteRange, Digest } from '../../../src/domain/storage/blob-store.ts';
import type { Representation } from '../../../src/gateway/downloads/representation.ts';
import { sendRepresentation } from '../../../src/gateway/downloads/send-representation.ts';
import { answerError } from '../../../src/gateway/http-errors.ts';

const MEBIBYTE = 1024 * 1024;
const CHUNK = Buffer.alloc(256 * 1024, 'stowage ');

/** A file that is made while it is read, and tells what became of its streams. */
class GeneratedFile implements Representation {
  readonly contentType = 'application/octet-stream';
  readonly fileName = 'generated';
  readonly disposition = 'attachment';
  readonly size: number;
  digest: Digest;
  /** Bytes asked for so far. */
  produced = 0;
  damages = 0;
  /** Resolves when the first stream that was opened is closed. */
  readonly closed: Promise<void>;
  readonly #close: () => void;
  readonly #failAfter: number;

  constructor(size: number, { failAfter = Number.POSITIVE_INFINITY } = {}) {
    this.size = size;
    this.#failAfter = failAfter;
    const hash = createHash('sha256');
    for (let left = size; left > 0; left -= CHUNK.length) hash.update(CHUNK.subarray(0, left));
    this.digest = `sha256:${hash.digest('hex')}`;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#close = resolve;
  }

  open({ start, end }: ByteRange): Readable {
    return Readable.from(this.#chunks(end - start), { objectMode: false }).once('close', this.#close);
  }

  async onDamage(): Promise<void> {
    this.damages += 1;
  }

  async *#chunks(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; left -= CHUNK.length) {
      if (this.produced >= this.#failAfter) throw new Error('the disk is gone');
      const chunk = CHUNK.subarray(0, left);
      this.produced += chunk.length;
      yield chunk;
    }
  }
}

let app: FastifyInstance | null = null;
const logged: Record<string, unknown>[] = [];

async function serve(file: Representation, options: FastifyHttpOptions<Server> = {}): Promise<number> {
  logged.length = 0;
  const loggerInstance: FastifyBaseLogger = pino(
    { level: 'debug' },
    { write: (line: string) => void logged.push(JSON.parse(line)) },
  );
  app = Fastify({ ...options, loggerInstance, forceCloseConnections: true });
  app.setErrorHandler(answerError);
  app.get('/file', async (request, reply) => {
    await sendRepresentation(request, reply, file);
    return reply;
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  return (app.server.address() as AddressInfo).port;
}

function ask(port: number, headers = ''): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.write(`GET /file HTTP/1.1\r\nHost: test\r\n${headers}\r\n`);
  return socket;
}

afterEach(async () => {
  await app?.close();
  app = null;
});

test.each(['', 'Range: bytes=1-\r\n'])('a client that goes away ends the reading (%j)', async (headers) => {
  const file = new GeneratedFile(256 * MEBIBYTE);
  const socket = ask(await serve(file), headers);
  await once(socket, 'data');
  socket.destroy();
  await file.closed;
  expect(file.produced).toBeLessThan(64 * MEBIBYTE);
  await app!.close();
  expect(logged.filter((line) => Number(line.level) >= 50)).toEqual([]);
  expect(logged.map((line) => line.msg)).toContain('the client went away');
});

test('a client that reads nothing is not read ahead for, and dropped after a while', async () => {
  const file = new GeneratedFile(256 * MEBIBYTE);
  const socket = ask(await serve(file, { connectionTimeout: 300 }));
  socket.pause();
  socket.on('error', () => undefined);
  await file.closed;
  expect(file.produced).toBeGreaterThan(0);
  expect(file.produced).toBeLessThan(64 * MEBIBYTE);
  socket.destroy();
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

test('memory stays flat while a large file goes by', async () => {
  const file = new GeneratedFile(1024 * MEBIBYTE);
  const port = await serve(file);
  const before = process.memoryUsage().rss;
  let most = before;
  const response = await fetch(`http://127.0.0.1:${port}/file`);
  const hash = createHash('sha256');
  let bytes = 0;
  let collectedAt = 0;
  for await (const chunk of response.body!) {
    hash.update(chunk);
    bytes += chunk.length;
    most = Math.max(most, process.memoryUsage.rss());
    // What the client here has read is garbage, and a busy machine is late to free it: that is not what is held.
    if (bytes - collectedAt < 16 * MEBIBYTE) continue;
    collectedAt = bytes;
    collectGarbage();
    // Only the next time waits for what is freed beside.
    collectGarbage();
  }
  expect(bytes).toBe(file.size);
  expect(`sha256:${hash.digest('hex')}`).toBe(file.digest);
  expect(most - before).toBeLessThan(150 * MEBIBYTE);
});

test('a source that fails at once is an error with a status', async () => {
  const port = await serve(new GeneratedFile(10 * MEBIBYTE, { failAfter: 0 }));
  const response = await fetch(`http://127.0.0.1:${port}/file`);
  expect(response.status).toBe(500);
  expect(response.headers.get('digest')).toBeNull();
  expect(await response.json()).toEqual({
    error: { code: 'damaged', message: 'generated cannot be read', hint: null, details: {} },
  });
});

test('a source that fails half-way cuts the connection', async () => {
  const file = new GeneratedFile(64 * MEBIBYTE, { failAfter: 16 * MEBIBYTE });
  const port = await serve(file);
  const response = await fetch(`http://127.0.0.1:${port}/file`);
  expect(response.status).toBe(200);
  await expect(response.arrayBuffer()).rejects.toThrow('terminated');
  expect(file.damages).toBe(0);
  expect(logged.find((line) => line.msg === 'a download was broken off')).toMatchObject({ level: 50 });
});

test('bytes that are not those of the digest are never completed', async () => {
  const file = new GeneratedFile(8 * MEBIBYTE);
  file.digest = `sha256:${'0'.repeat(64)}`;
  const port = await serve(file);
  const response = await fetch(`http://127.0.0.1:${port}/file`);
  await expect(response.arrayBuffer()).rejects.toThrow('terminated');
  expect(file.damages).toBe(1);
});

test('an empty file, whole and in ranges', async () => {
  const port = await serve(new GeneratedFile(0));
  const whole = await fetch(`http://127.0.0.1:${port}/file`);
  expect([whole.status, whole.headers.get('content-length'), await whole.text()]).toEqual([200, '0', '']);
  const range = await fetch(`http://127.0.0.1:${port}/file`, { headers: { range: 'bytes=0-' } });
  expect([range.status, range.headers.get('content-range')]).toEqual([416, 'bytes */0']);
});

test('two requests on one connection, one after the other', async () => {
  const file = new GeneratedFile(3);
  const socket = ask(await serve(file));
  socket.write('GET /file HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  expect(text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  expect(text.endsWith('\r\n\r\nsto')).toBe(true);
});
