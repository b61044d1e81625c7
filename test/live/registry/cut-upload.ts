import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LiveServer } from './server.ts';

const LAYER_BYTES = 2 * 1024 ** 3;
const CHUNK_BYTES = 48 * 1024 ** 2;
const CUTS = 5;
const NAME = 'live/images/cut';

/** A prime: bytes that land in a wrong place are never those that belong there. */
const PATTERN = randomBytes(1_000_003);

/**
 * A layer of 2 GiB in chunks, over a connection that breaks five times in the middle of one: the client asks at the first
 * location that it was given how far it is, and goes on from there. What arrives is the layer, to the last bit.
 */
export async function pushOverCutConnection(server: LiveServer): Promise<void> {
  const digest = await digestOf(content(0, LAYER_BYTES));
  const begun = await call(server, 'POST', `/v2/${NAME}/blobs/uploads/`);
  assert.equal(begun.status, 202);
  const location = begun.headers.get('location')!;
  let cuts = 0;
  for (let size = 0; size < LAYER_BYTES; ) {
    const end = Math.min(size + CHUNK_BYTES, LAYER_BYTES);
    if (size >= (LAYER_BYTES / (CUTS + 1)) * (cuts + 1)) {
      await breakOff(server, location, { start: size, end }, size + CHUNK_BYTES / 2 + cuts);
      cuts += 1;
      const before = size;
      size = await progress(server, location);
      assert.ok(size >= before && size < end, `${size} after a break between ${before} and ${end}`);
      continue;
    }
    await patch(server, location, { start: size, end });
    size = end;
  }
  assert.equal(cuts, CUTS);
  assert.equal((await call(server, 'PUT', `${location}?digest=${digest}`)).status, 201);
  const pulled = await call(server, 'GET', `/v2/${NAME}/blobs/${digest}`);
  assert.equal(pulled.headers.get('content-length'), String(LAYER_BYTES));
  assert.equal(await digestOf(pulled.body! as unknown as AsyncIterable<Uint8Array>), digest);
}

interface Range {
  start: number;
  end: number;
}

/** Sends a chunk, but only up to `until`, and breaks the connection. */
async function breakOff(server: LiveServer, location: string, range: Range, until: number): Promise<void> {
  const sent = send(server, location, range);
  sent.on('error', () => undefined);
  for await (const piece of content(range.start, until)) {
    if (!sent.write(piece)) await once(sent, 'drain');
  }
  sent.destroy();
}

async function patch(server: LiveServer, location: string, range: Range): Promise<void> {
  const sent = send(server, location, range);
  const answered = once(sent, 'response');
  await pipeline(Readable.from(content(range.start, range.end)), sent);
  const [answer] = await answered;
  answer.resume();
  assert.deepEqual([answer.statusCode, answer.headers.range], [202, `0-${range.end - 1}`]);
}

function send({ url, authorization }: LiveServer, location: string, { start, end }: Range) {
  return request(new URL(location, url), {
    method: 'PATCH',
    headers: {
      authorization,
      'content-length': end - start,
      'content-range': `${start}-${end - 1}`,
      'content-type': 'application/octet-stream',
    },
  });
}

async function progress(server: LiveServer, location: string): Promise<number> {
  const answer = await call(server, 'GET', location);
  assert.equal(answer.status, 204);
  return Number(/^0-(\d+)$/.exec(answer.headers.get('range')!)![1]) + 1;
}

async function call({ url, authorization }: LiveServer, method: string, path: string): Promise<Response> {
  return await fetch(new URL(path, url), { method, headers: { authorization } });
}

function* content(start: number, end: number): Generator<Buffer> {
  for (let at = start; at < end; ) {
    const from = at % PATTERN.length;
    const piece = PATTERN.subarray(from, Math.min(PATTERN.length, from + end - at));
    yield piece;
    at += piece.length;
  }
}

async function digestOf(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of pieces) {
    hash.update(piece);
    // Otherwise nobody notices meanwhile that the server closes a connection, and the next call is sent over it.
    await nextTurn();
  }
  return `sha256:${hash.digest('hex')}`;
}
