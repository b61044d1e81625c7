import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import { sendStream } from '../../../src/gateway/oci/send-stream.ts';

const PIECE = 64 * 1024;
let server: Server | null = null;

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
});

/** Pieces with memory of their own, until `length` bytes or an error. */
async function* pieces(
  length: number,
  { onPiece, failure }: { onPiece?: (piece: Buffer) => void; failure?: Error } = {},
): AsyncGenerator<Buffer> {
  for (let bytes = 0; bytes < length; bytes += PIECE) {
    const piece = Buffer.from(new Uint8Array(randomBytes(PIECE)).buffer);
    onPiece?.(piece);
    yield piece;
  }
  if (failure) throw failure;
}

/** Answers one request with the stream; how that ended is told by `ended`. */
async function serve(stream: Readable, length: number): Promise<{ url: string; ended: Promise<unknown> }> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  server = createServer((_request, answer) => {
    answer.writeHead(200, { 'content-length': length });
    sendStream(stream, answer).then(() => resolve(null), resolve);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, ended: promise };
}

async function answerOf(url: string): Promise<IncomingMessage> {
  const [answer] = await once(get(url), 'response');
  return answer as IncomingMessage;
}

test('everything is sent, and its memory is given back', async () => {
  const length = 40 * PIECE;
  const made: Buffer[] = [];
  const hash = createHash('sha256');
  const onPiece = (piece: Buffer): void => {
    made.push(piece);
    hash.update(piece);
  };
  const stream = Readable.from(pieces(length, { onPiece }), { objectMode: false });
  const { url, ended } = await serve(stream, length);
  const received = await buffer(await answerOf(url));
  expect(await ended).toBeNull();
  expect(received.length).toBe(length);
  expect(createHash('sha256').update(received).digest('hex')).toBe(hash.digest('hex'));
  expect(made.map((piece) => piece.length)).toEqual(made.map(() => 0));
});

test('a client that goes away ends the stream', async () => {
  const stream = Readable.from(pieces(Number.POSITIVE_INFINITY), { objectMode: false });
  const { url, ended } = await serve(stream, 2 ** 40);
  const answer = await answerOf(url);
  await once(answer, 'readable');
  answer.destroy();
  expect(await ended).toBeInstanceOf(Error);
  expect(stream.destroyed).toBe(true);
});

test('a stream that fails cuts the connection', async () => {
  const failure = new Error('the store is gone');
  const stream = Readable.from(pieces(4 * PIECE, { failure }), { objectMode: false });
  const { url, ended } = await serve(stream, 8 * PIECE);
  await expect(buffer(await answerOf(url))).rejects.toThrow('aborted');
  expect(await ended).toBe(failure);
});
