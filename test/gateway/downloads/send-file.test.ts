import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { SentFile } from '../../../src/gateway/downloads/send-file.ts';

const content = randomBytes(5_000_001);

let directory: string;
let file: string;
let server: Server;
let port: number;
/** What each sending of the running test ended with; a client may have its bytes before that. */
const sendings: Promise<Error | null>[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'stowage-send-'));
  file = join(directory, 'file');
  await writeFile(file, content);
  server = createServer(async (request, response) => {
    const [start, end] = request.url!.slice(1).split('-').map(Number);
    const sent = await SentFile.open(file);
    response.writeHead(200, { 'content-length': end! - start! });
    sendings.push(
      sent.send({ start: start!, end: end! }, response).then(
        () => null,
        (error: Error) => error,
      ),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  port = (server.address() as { port: number }).port;
});
afterEach(async () => {
  await Promise.all(sendings.splice(0));
});
afterAll(async () => {
  server.close();
  await rm(directory, { recursive: true });
});

const openDescriptors = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      return false;
    }
  }).length;

async function receive(start: number, end: number): Promise<Buffer> {
  const [response] = (await once(get({ port, path: `/${start}-${end}` }), 'response')) as [IncomingMessage];
  return Buffer.concat(await response.toArray());
}

test.each([
  [0, content.length],
  [0, 1],
  [1, 262_145],
  [262_144, 524_288],
  [4_999_999, 5_000_001],
])('bytes %i to %i', async (start, end) => {
  expect((await receive(start, end)).equals(content.subarray(start, end))).toBe(true);
});

test('many at once get what is theirs', async () => {
  const all = await Promise.all(
    Array.from({ length: 150 }, (_, n) => receive(n * 1000, n * 1000 + 2_000_000)),
  );
  const wrong = all.filter((bytes, n) => !bytes.equals(content.subarray(n * 1000, n * 1000 + 2_000_000)));
  expect(wrong).toHaveLength(0);
  await Promise.all(sendings);
  expect(openDescriptors()).toBe(0);
});

test('a client that goes away, or never reads, ends the reading', async () => {
  const sockets = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'));
  for (const socket of sockets) socket.pause().write(`GET /0-${content.length} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await expect.poll(openDescriptors).toBe(20);
  for (const socket of sockets) socket.destroy();
  const outcomes = await Promise.all(sendings);
  expect(outcomes).toHaveLength(20);
  expect(outcomes.every((error) => error !== null)).toBe(true);
  expect(openDescriptors()).toBe(0);
  expect((await receive(0, content.length)).equals(content)).toBe(true);
});

test('a file that is shorter than it was is never completed', async () => {
  await truncate(file, 1_000_000);
  await expect(receive(0, content.length)).rejects.toThrow('aborted');
  expect(await Promise.all(sendings)).toEqual([new Error('the file is shorter than it was')]);
  expect(openDescriptors()).toBe(0);
});
