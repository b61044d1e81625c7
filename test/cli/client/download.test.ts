import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { download } from '../../../src/cli/client/download.ts';
import { temporaryDirectory } from '../../support/resolve-context.ts';
import { fakeServer } from './fake-server.ts';

const body = Buffer.from('0123456789'.repeat(1000));
const sha256 = createHash('sha256').update(body);
const hex = sha256.copy().digest('hex');
const digest = `sha-256=${sha256.digest('base64')}`;
const signal = new AbortController().signal;

test('a file gets its name when it is whole and checked', async () => {
  const directory = temporaryDirectory();
  const file = join(directory, 'bundle.tar.gz');
  const server = await fakeServer((_, response) => response.writeHead(200, { digest }).end(body));
  const progress: number[] = [];
  const result = await download(server.client, {
    path: '/file',
    file,
    signal,
    onProgress: (bytes) => progress.push(bytes),
  });
  expect(readdirSync(directory)).toEqual([`.bundle.tar.gz.${process.pid}.part`]);
  await result.keep();
  expect(readdirSync(directory)).toEqual(['bundle.tar.gz']);
  expect(readFileSync(file).equals(body)).toBe(true);
  expect(result).toMatchObject({ digest: `sha256:${hex}`, size: body.length });
  expect(progress.at(-1)).toBe(body.length);
});

test('a broken connection is resumed where it broke', async () => {
  const file = join(temporaryDirectory(), 'f');
  let breakOff = (): void => undefined;
  const server = await fakeServer(({ headers }, response) => {
    if (!headers.range) {
      response.writeHead(200, { digest, etag: '"v1"', 'content-length': body.length });
      response.write(body.subarray(0, 4000));
      breakOff = () => response.destroy();
      return;
    }
    const start = Number(/^bytes=(\d+)-$/.exec(headers.range)![1]);
    response.writeHead(206, { 'content-range': `bytes ${start}-${body.length - 1}/${body.length}` });
    response.end(body.subarray(start));
  });
  const onProgress = (bytes: number): void => {
    if (bytes === 4000) breakOff();
  };
  const result = await download(server.client, { path: '/file', file, signal, onProgress });
  await result.keep();
  expect(readFileSync(file).equals(body)).toBe(true);
  expect(server.requests[1]!.headers).toMatchObject({ range: 'bytes=4000-', 'if-range': '"v1"' });
});

test('a server that cannot resume starts again', async () => {
  const file = join(temporaryDirectory(), 'f');
  let connection = 0;
  const server = await fakeServer((_, response) => {
    connection += 1;
    response.writeHead(200, { digest, 'content-length': body.length });
    if (connection === 1) response.write(body.subarray(0, 10), () => response.destroy());
    else response.end(body);
  });
  const result = await download(server.client, { path: '/file', file, signal });
  expect(result.digest).toBe(`sha256:${hex}`);
  await result.discard();
});

test('another digest than the server said: an error and no file, what was there stays', async () => {
  const directory = temporaryDirectory();
  const file = join(directory, 'bundle.tar.gz');
  writeFileSync(file, 'old');
  const wrong = `sha-256=${createHash('sha256').update('x').digest('base64')}`;
  const server = await fakeServer((_, response) => response.writeHead(200, { digest: wrong }).end(body));
  await expect(download(server.client, { path: '/file', file, signal })).rejects.toMatchObject({
    code: 'checksum-mismatch',
    details: { actual: `sha256:${hex}` },
  });
  expect(readdirSync(directory)).toEqual(['bundle.tar.gz']);
  expect(readFileSync(file, 'utf8')).toBe('old');
});

test('refusals and interruptions leave nothing', async () => {
  const directory = temporaryDirectory();
  const file = join(directory, 'f');
  const refusing = await fakeServer((_, response) => response.writeHead(404).end());
  await expect(download(refusing.client, { path: '/file', file, signal })).rejects.toMatchObject({
    code: 'not-found',
  });
  const interruption = new AbortController();
  const slow = await fakeServer((_, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('x');
  });
  const downloading = download(slow.client, {
    path: '/file',
    file,
    signal: interruption.signal,
    onProgress: () => interruption.abort(new Error('stop')),
  });
  await expect(downloading).rejects.toThrow();
  expect(readdirSync(directory)).toEqual([]);
});
