import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { assertPublicHost } from '../../../src/workers/downloads/address-policy.ts';
import type { HashAlgorithm } from '../../../src/workers/downloads/artifact-store.ts';
import { destinationOf } from '../../../src/workers/downloads/destination.ts';
import type { FileJob } from '../../../src/workers/downloads/fetcher.ts';
import { DownloadScheduler, type SchedulerOptions } from '../../../src/workers/downloads/scheduler.ts';
import { type Answer, cutAfter, fixtureServer } from './fixture-server.ts';

let root: string;
let blobs: FileBlobStore;
let log: string[];
const schedulers: DownloadScheduler[] = [];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'downloads-'));
  blobs = new FileBlobStore(root);
  await blobs.check();
  log = [];
});
afterEach(async () => {
  await Promise.all(schedulers.splice(0).map((scheduler) => scheduler.close()));
  await rm(root, { recursive: true, force: true });
});

function scheduler(
  settings: { allowPrivateNetworks?: boolean; limit?: number; perHost?: number } = {},
  options: SchedulerOptions = {},
): DownloadScheduler {
  const made = new DownloadScheduler(
    {
      downloadConcurrency: settings.limit ?? 32,
      downloadConcurrencyPerHost: settings.perHost ?? 32,
      allowPrivateNetworks: settings.allowPrivateNetworks ?? false,
    },
    { retryPolicy: { retries: 5, wait: () => 1 }, ...options },
  );
  schedulers.push(made);
  return made;
}

interface JobOptions extends Partial<FileJob> {
  headers?: Record<string, string>;
  trusted?: boolean;
  insecure?: boolean;
}

function job(url: string, { headers, trusted = true, insecure, ...options }: JobOptions = {}): FileJob {
  return {
    destination: destinationOf(url, { headers, trusted, insecure }),
    fileName: 'file.tgz',
    url,
    expected: [],
    algorithms: [],
    maxBytes: 10_000_000,
    blobs,
    log: { debug: () => undefined, info: () => undefined, warn: (line) => void log.push(line) },
    signal: new AbortController().signal,
    ...options,
  };
}

const hash = (algorithm: HashAlgorithm, bytes: Uint8Array): string =>
  createHash(algorithm).update(bytes).digest('hex');
const sends =
  (bytes: Uint8Array, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(200, { 'content-length': bytes.byteLength, ...headers }).end(bytes);
const redirects =
  (location: string, status = 302): Answer =>
  (response) =>
    response.writeHead(status, { location }).end();

async function nothingStays(): Promise<void> {
  for await (const blob of blobs.list()) throw new Error(`${blob.digest} stays`);
  expect(readdirSync(join(root, 'tmp'))).toEqual([]);
}

test.each([0, 10, 600_000, 3_000_000])('stores and hashes a file of %i bytes', async (size) => {
  const bytes = randomBytes(size);
  const server = await fixtureServer({
    '/a': sends(bytes),
    '/chunked': (response) =>
      response.write(bytes.subarray(0, size / 2), () => response.end(bytes.subarray(size / 2))),
  });
  const one = scheduler();
  for (const path of ['/a', '/chunked']) {
    let seen = 0;
    const file = await one.file(
      job(server.origin + path, {
        expected: [{ algorithm: 'sha512', hex: hash('sha512', bytes) }],
        algorithms: ['sha1'],
        onBytes: (count) => {
          seen += count;
        },
      }),
    );
    expect(file.digests).toEqual({
      sha1: hash('sha1', bytes),
      sha256: hash('sha256', bytes),
      sha512: hash('sha512', bytes),
    });
    expect(file.blob.digest).toBe(`sha256:${hash('sha256', bytes)}`);
    expect((await blobs.readWhole(file.blob.digest)).equals(bytes)).toBe(true);
    expect(seen).toBe(size);
  }
  expect(one.counters).toEqual({ downloads: 2, failures: 0, retries: 0, bytes: 2 * size, cacheHits: 0 });
  expect(log).toEqual([]);
});

test('one of several digests is enough', async () => {
  const bytes = Buffer.from('bytes');
  const server = await fixtureServer({ '/a': sends(bytes) });
  const expected = [
    { algorithm: 'sha512', hex: '0'.repeat(128) },
    { algorithm: 'sha256', hex: hash('sha256', bytes) },
  ] as const;
  const file = await scheduler().file(job(`${server.origin}/a`, { expected }));
  expect(file.blob.size).toBe(5);
});

test('wrong bytes are asked for once more and then refused', async () => {
  const server = await fixtureServer({ '/a': sends(Buffer.from('bad')) });
  const url = `${server.origin.replace('//', '//user:secret@')}/a`;
  const failing = scheduler().file(
    job(url, {
      expected: [
        { algorithm: 'sha1', hex: '1'.repeat(40) },
        { algorithm: 'sha256', hex: '2'.repeat(64) },
      ],
    }),
  );
  const actual = hash('sha256', Buffer.from('bad'));
  await expect(failing).rejects.toMatchObject({
    name: 'InvalidChecksum',
    code: 'checksum-mismatch',
    message: `The file file.tgz has an unexpected checksum value, expected ${'2'.repeat(64)} but computed ${actual}`,
    details: {
      file: 'file.tgz',
      algorithm: 'sha256',
      expected: '2'.repeat(64),
      actual,
      url: `http://***@127.0.0.1:${server.port}/a`,
    },
  });
  expect(server.requests.map((request) => request.headers['cache-control'])).toEqual([undefined, 'no-cache']);
  expect(log).toHaveLength(1);
  await nothingStays();
});

test('a cache on the way that kept half a file is got over', async () => {
  const bytes = Buffer.from('the whole file');
  const server = await fixtureServer({
    '/a': (response, request, hit) => sends(hit === 1 ? bytes.subarray(0, 5) : bytes)(response, request, hit),
  });
  const expected = [{ algorithm: 'sha256', hex: hash('sha256', bytes) }] as const;
  expect((await scheduler().file(job(`${server.origin}/a`, { expected }))).blob.size).toBe(14);
});

test.each([408, 429, 500, 502, 503, 504])('status %i is tried again, visibly', async (status) => {
  const server = await fixtureServer({
    '/a': (response, request, hit) =>
      hit < 3 ? response.writeHead(status).end('later') : sends(Buffer.from('x'))(response, request, hit),
  });
  const one = scheduler();
  expect((await one.file(job(`${server.origin}/a?token=abc`))).blob.size).toBe(1);
  expect(log).toEqual([
    `retry 1 of 5 in 0.0 s: GET ${server.origin}/a?token=***: status ${status}`,
    `retry 2 of 5 in 0.0 s: GET ${server.origin}/a?token=***: status ${status}`,
  ]);
  expect(one.counters.retries).toBe(2);
});

test.each([400, 401, 403, 404, 410])('status %i is final', async (status) => {
  const server = await fixtureServer({ '/a': (response) => response.writeHead(status).end('no') });
  await expect(scheduler().file(job(`${server.origin}/a`))).rejects.toMatchObject({
    name: 'NetworkError',
    code: 'fetch-failed',
    message: `Could not download ${server.origin}/a: status ${status}`,
    retryable: false,
  });
  expect(server.requests).toHaveLength(1);
  await nothingStays();
});

test('retries end', async () => {
  const server = await fixtureServer({ '/a': (response) => response.writeHead(503).end() });
  await expect(scheduler().file(job(`${server.origin}/a`))).rejects.toMatchObject({
    message: `Could not download ${server.origin}/a: status 503`,
    retryable: true,
    details: { url: `${server.origin}/a`, reason: 'status 503' },
  });
  expect(server.requests).toHaveLength(6);
  expect(log).toHaveLength(5);
});

test('a refused connection is tried again, then named', async () => {
  const server = await fixtureServer({ '/a': (response) => response.destroy() });
  await expect(scheduler().file(job(`${server.origin}/a`))).rejects.toMatchObject({
    message: expect.stringMatching(/^Could not download http:\/\/127\.0\.0\.1:\d+\/a: .+$/),
    retryable: true,
  });
  expect(server.requests).toHaveLength(6);
});

/** A byte now and then, for ever. */
const trickles =
  (headers: Record<string, string | number>): Answer =>
  (response) => {
    response.writeHead(200, headers);
    const timer = setInterval(() => response.write('x'), 20);
    response.on('close', () => clearInterval(timer));
  };
const page = Buffer.from('<!doctype html><title>Maintenance</title>');

describe('a server that is slow or lies', () => {
  const PATIENCE = { silenceMs: 150, bytesPerSecond: 1_000 };
  const impatient = () => scheduler({}, { retryPolicy: { retries: 1, wait: () => 1 }, patience: PATIENCE });

  test.each<[string, Answer, RegExp]>([
    ['says nothing', () => undefined, /Headers Timeout Error$/],
    [
      'says nothing behind the head',
      (response) => response.writeHead(200, { 'content-length': 9 }).flushHeaders(),
      /Body Timeout Error$/,
    ],
    [
      'sends a byte now and then',
      trickles({ 'content-length': 1_000_000 }),
      /only \d+ bytes came in \d\.\d s$/,
    ],
    ['sends a byte now and then, without end', trickles({}), /only \d+ bytes came in \d\.\d s$/],
    ['announces more than it sends', (response) => cutAfter(response, page, { 'content-length': 99 }), /.+/],
    ['breaks off a body of chunks', (response) => cutAfter(response, page, {}), /.+/],
    ['sends what is no HTTP', (response) => response.socket!.end('SSH-2.0-x\r\n\r\n'), /.+/],
  ])('that %s is asked once more, and then named', async (_title, answer, reason) => {
    const server = await fixtureServer({ '/a': answer });
    const url = `${server.origin}/a`;
    const { destination, log: stepLog, signal } = job(url);
    const one = impatient();
    const document = { destination, log: stepLog, signal, maxBytes: 10_000, accept: [] };
    const attempts = [one.file(job(url)), one.document(document)];
    for (const { reason: error } of (await Promise.allSettled(attempts)) as PromiseRejectedResult[]) {
      expect(error).toMatchObject({ name: 'NetworkError', code: 'fetch-failed', retryable: true });
      expect(error.message).toMatch(new RegExp(`^Could not download ${url}: .*${reason.source}`));
    }
    expect(server.requests).toHaveLength(4);
    expect(log).toEqual([1, 2].map(() => expect.stringMatching(/^retry 1 of 1 in 0\.0 s: GET .*\/a: .+/)));
    await nothingStays();
  });

  test('that is slow is not one that we do not read from', async () => {
    const bytes = randomBytes(3_000_000);
    const server = await fixtureServer({ '/a': sends(bytes) });
    const slowly = Object.create(blobs, {
      createWriter: {
        value: async (...args: Parameters<FileBlobStore['createWriter']>) => {
          await sleep(3 * PATIENCE.silenceMs);
          return await blobs.createWriter(...args);
        },
      },
    }) as FileBlobStore;
    const { blob } = await impatient().file(job(`${server.origin}/a`, { blobs: slowly }));
    expect((await blobs.readWhole(blob.digest)).equals(bytes)).toBe(true);
    expect(log).toEqual([]);
  });

  test('that sends more than it has announced: what was announced counts', async () => {
    const bytes = Buffer.from('exactly this');
    const server = await fixtureServer({
      '/a': (response) =>
        response.socket!.write(
          `HTTP/1.1 200 OK\r\ncontent-length: ${bytes.length}\r\n\r\n${bytes}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`,
        ),
      '/b': sends(Buffer.from('another')),
    });
    const one = impatient();
    const expected = (content: Buffer) => [{ algorithm: 'sha256' as const, hex: hash('sha256', content) }];
    await one.file(job(`${server.origin}/a`, { expected: expected(bytes) }));
    await one.file(job(`${server.origin}/b`, { expected: expected(Buffer.from('another')) }));
  });

  test('a page that says 200 is not the file, nor a document whose encoding is broken', async () => {
    const server = await fixtureServer({
      '/a': sends(page, { 'content-type': 'text/html' }),
      '/cut': sends(gzipSync('{"a":1}').subarray(0, 12), { 'content-encoding': 'gzip' }),
      '/unknown': sends(page, { 'content-encoding': 'zstd' }),
    });
    const expected = [{ algorithm: 'sha256' as const, hex: hash('sha256', Buffer.from('the file')) }];
    await expect(impatient().file(job(`${server.origin}/a`, { expected }))).rejects.toMatchObject({
      name: 'InvalidChecksum',
      details: { url: `${server.origin}/a`, actual: hash('sha256', page) },
    });
    for (const [path, reason, requests] of [
      ['/cut', 'damaged gzip encoding: unexpected end of file', 2],
      ['/unknown', 'unknown content encoding zstd', 1],
    ] as const) {
      const { destination, log: stepLog, signal } = job(server.origin + path);
      const before = server.requests.length;
      const document = { destination, log: stepLog, signal, maxBytes: 10_000, accept: [] };
      await expect(impatient().document(document)).rejects.toMatchObject({
        message: `Could not download ${server.origin}${path}: ${reason}`,
      });
      expect(server.requests.length - before).toBe(requests);
    }
    await nothingStays();
  });
});

test('Retry-After holds the whole host', async () => {
  const times: number[] = [];
  const server = await fixtureServer((response, request, hit) => {
    times.push(performance.now());
    if (request.url === '/a' && hit === 1) response.writeHead(429, { 'retry-after': '1' }).end();
    else sends(Buffer.from('x'))(response, request, hit);
  });
  const one = scheduler({ perHost: 1 });
  await Promise.all([one.file(job(`${server.origin}/a`)), one.file(job(`${server.origin}/b`))]);
  expect(log).toEqual([`retry 1 of 5 in 1.0 s: GET ${server.origin}/a: status 429`]);
  expect(times[1]! - times[0]!).toBeGreaterThan(900);
});

const body = randomBytes(2_000_000);
const half = body.subarray(0, 900_000);

test.each([
  ['a strong ETag', { etag: '"v1"' }, '"v1"'],
  [
    'Last-Modified',
    { 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT', date: 'Thu, 01 Jan 2026 01:00:00 GMT' },
    'Thu, 01 Jan 2026 00:00:00 GMT',
  ],
])('continues in mid-body with %s', async (_, headers: Record<string, string>, validator) => {
  let start = 0;
  const server = await fixtureServer({
    '/a': (response, request, hit) => {
      if (hit === 1) return cutAfter(response, half, { 'content-length': body.length, ...headers });
      start = Number(/^bytes=(\d+)-$/.exec(request.headers.range!)![1]);
      expect(request.headers['if-range']).toBe(validator);
      response.writeHead(206, {
        ...headers,
        'content-range': `bytes ${start}-${body.length - 1}/${body.length}`,
        'content-length': body.length - start,
      });
      response.end(body.subarray(start));
    },
  });
  const expected = [{ algorithm: 'sha512', hex: hash('sha512', body) }] as const;
  const file = await scheduler().file(job(`${server.origin}/a`, { expected }));
  expect(file.blob.digest).toBe(`sha256:${hash('sha256', body)}`);
  expect(start).toBeGreaterThan(0);
  expect(log).toHaveLength(1);
});

test.each<[string, Record<string, string>, Answer]>([
  ['the file has changed', { etag: '"v1"' }, (response) => response.writeHead(200).end(body)],
  ['there is no validator', {}, (response) => response.writeHead(200).end(body)],
  ['the ETag is weak', { etag: 'W/"v1"' }, (response) => response.writeHead(200).end(body)],
  ['the server serves no parts', { etag: '"v1"', 'accept-ranges': 'none' }, (response) => response.end(body)],
  [
    'the date is too young',
    { 'last-modified': 'Thu, 01 Jan 2026 00:00:00 GMT', date: 'Thu, 01 Jan 2026 00:00:00 GMT' },
    (response) => response.end(body),
  ],
  [
    'the part does not fit',
    { etag: '"v1"' },
    (response, request) =>
      request.headers.range
        ? response.writeHead(206, { 'content-range': 'bytes 7-9/2000000' }).end('abc')
        : response.end(body),
  ],
  [
    'the part is of a file of another size',
    { etag: '"v1"' },
    (response, request) =>
      request.headers.range
        ? response
            .writeHead(206, { 'content-range': `bytes ${request.headers.range.slice(6)}5/6` })
            .end('abc')
        : response.end(body),
  ],
  [
    'the range is refused',
    { etag: '"v1"' },
    (response, request) => (request.headers.range ? response.writeHead(416).end() : response.end(body)),
  ],
])('starts again with fresh hashes when %s', async (_, headers, later) => {
  const other = Buffer.alloc(900_000, 'old');
  const server = await fixtureServer({
    '/a': (response, request, hit) =>
      hit === 1
        ? cutAfter(response, other, { 'content-length': body.length, ...headers })
        : later(response, request, hit),
  });
  const expected = [{ algorithm: 'sha512', hex: hash('sha512', body) }] as const;
  const file = await scheduler().file(job(`${server.origin}/a`, { expected }));
  expect(file.blob.digest).toBe(`sha256:${hash('sha256', body)}`);
  expect((await blobs.readWhole(file.blob.digest)).equals(body)).toBe(true);
  expect(readdirSync(join(root, 'tmp'))).toEqual([]);
});

test('a transfer that gets on is not given up', async () => {
  const whole = randomBytes(12_000_000);
  const server = await fixtureServer({
    '/a': (response, request) => {
      const start = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const end = Math.min(start + 1_500_000, whole.length);
      response.writeHead(start ? 206 : 200, {
        etag: '"v1"',
        'content-length': whole.length - start,
        ...(start && { 'content-range': `bytes ${start}-${whole.length - 1}/${whole.length}` }),
      });
      if (end === whole.length) response.end(whole.subarray(start));
      else response.write(whole.subarray(start, end), () => setImmediate(() => response.destroy()));
    },
  });
  const file = await scheduler().file(job(`${server.origin}/a`, { maxBytes: 20_000_000 }));
  expect(file.blob.digest).toBe(`sha256:${hash('sha256', whole)}`);
  expect(server.requests.length).toBeGreaterThan(7);
});

test.each<[string, Answer]>([
  ['announced', sends(Buffer.alloc(200_000))],
  [
    'found while reading',
    (response) => response.write(Buffer.alloc(100_000), () => response.end(Buffer.alloc(100_000))),
  ],
])('a file that is too large is refused (%s)', async (_, answer) => {
  const server = await fixtureServer({ '/a': answer });
  await expect(scheduler().file(job(`${server.origin}/a`, { maxBytes: 150_000 }))).rejects.toMatchObject({
    name: 'ValidationError',
    message: 'The file file.tgz is larger than 150000 bytes',
  });
  expect(server.requests).toHaveLength(1);
  await nothingStays();
});

test('bytes with a content encoding are kept as they come', async () => {
  const zipped = gzipSync('content');
  const server = await fixtureServer({ '/a': sends(zipped, { 'content-encoding': 'gzip' }) });
  const file = await scheduler().file(job(`${server.origin}/a`));
  expect(file.blob.digest).toBe(`sha256:${hash('sha256', zipped)}`);
  expect(server.requests[0]!.headers['accept-encoding']).toBe('identity');
});

test('follows redirects of one origin with the headers', async () => {
  const server = await fixtureServer({
    '/a': redirects('/b', 301),
    '/b': redirects('c?x=1', 307),
    '/c': sends(Buffer.from('x')),
  });
  await scheduler().file(job(`${server.origin}/a`, { headers: { Authorization: 'Bearer secret' } }));
  expect(server.requests.map((request) => [request.url, request.headers.authorization])).toEqual([
    ['/a', 'Bearer secret'],
    ['/b', 'Bearer secret'],
    ['/c?x=1', 'Bearer secret'],
  ]);
});

test('credentials stay behind when a redirect leaves the host', async () => {
  const other = await fixtureServer({ '/b': sends(Buffer.from('x')) });
  const server = await fixtureServer({ '/a': redirects(`http://localhost:${other.port}/b`) });
  const expected = [{ algorithm: 'sha256', hex: hash('sha256', Buffer.from('x')) }] as const;
  const url = server.origin.replace('//', '//user:pass@');
  await scheduler({ allowPrivateNetworks: true }).file(
    job(`${url}/a`, { headers: { 'x-token': 'secret', cookie: 'a=b' }, expected }),
  );
  expect(server.requests[0]!.headers).toMatchObject({
    authorization: 'Basic dXNlcjpwYXNz',
    'x-token': 'secret',
  });
  expect(Object.keys(other.requests[0]!.headers).toSorted()).toEqual([
    'accept-encoding',
    'connection',
    'host',
  ]);
});

test('a redirect of an upstream to a private host is refused', async () => {
  const other = await fixtureServer({ '/b': sends(Buffer.from('x')) });
  const expected = [{ algorithm: 'sha256', hex: hash('sha256', Buffer.from('x')) }] as const;
  for (const host of ['localhost', '[::1]', '0x7f.1', '127.0.0.2']) {
    const server = await fixtureServer({ '/a': redirects(`http://${host}:${other.port}/b`) });
    await expect(scheduler().file(job(`${server.origin}/a`, { expected }))).rejects.toMatchObject({
      name: 'ValidationError',
      message: expect.stringMatching(/^The host \S+ is not on a public network$/),
    });
  }
  expect(other.requests).toHaveLength(0);
});

test.each<[string, string, string]>([
  ['a loop', '/a', 'more than 5 redirects'],
  ['another scheme', 'file:///etc/passwd', 'it is not an http(s) URL'],
  ['nonsense', 'http://[', 'it redirects to something that is no URL'],
])('a redirect to %s is refused', async (_, location, reason) => {
  const server = await fixtureServer({ '/a': redirects(location) });
  await expect(scheduler().file(job(`${server.origin}/a`))).rejects.toMatchObject({
    code: 'fetch-failed',
    message: expect.stringContaining(`: ${reason}`),
  });
  expect(server.requests).toHaveLength(location === '/a' ? 6 : 1);
});

test('a redirect from https to http is refused', async () => {
  const plain = await fixtureServer({ '/b': sends(Buffer.from('x')) });
  const secure = await fixtureServer({ '/a': redirects(`${plain.origin}/b`) }, { tls: true });
  const expected = [{ algorithm: 'sha256', hex: hash('sha256', Buffer.from('x')) }] as const;
  await expect(
    scheduler({ allowPrivateNetworks: true }).file(job(`${secure.origin}/a`, { insecure: true, expected })),
  ).rejects.toMatchObject({
    message: `Could not download ${secure.origin}/a: it redirects from https to http`,
  });
  expect(plain.requests).toHaveLength(0);
});

test('certificates are verified unless the URL is marked insecure', async () => {
  const server = await fixtureServer({ '/a': sends(Buffer.from('x')) }, { tls: true });
  const one = scheduler();
  await expect(one.file(job(`${server.origin}/a`))).rejects.toMatchObject({
    message: expect.stringContaining('certificate'),
    retryable: false,
  });
  expect(log).toEqual([]);
  expect((await one.file(job(`${server.origin}/a`, { insecure: true }))).blob.size).toBe(1);
});

test('an http URL that nobody vouches for needs a digest', async () => {
  const server = await fixtureServer({ '/a': sends(Buffer.from('x')) });
  const one = scheduler({ allowPrivateNetworks: true });
  await expect(one.file(job(`${server.origin}/a`, { trusted: false }))).rejects.toMatchObject({
    code: 'missing-checksum',
    message: `The http URL ${server.origin}/a needs a checksum`,
  });
  const expected = [{ algorithm: 'sha256', hex: hash('sha256', Buffer.from('x')) }] as const;
  expect((await one.file(job(`${server.origin}/a`, { trusted: false, expected }))).blob.size).toBe(1);
});

const expected = [{ algorithm: 'sha256', hex: '0'.repeat(64) }] as const;

test.each([
  'http://127.0.0.1:PORT/a',
  'http://localhost:PORT/a',
  'http://2130706433:PORT/a',
  'http://[::1]:PORT/a',
])('the private address %s is refused', async (url) => {
  const server = await fixtureServer({ '/a': sends(Buffer.from('x')) });
  const target = url.replace('PORT', String(server.port));
  await expect(scheduler().file(job(target, { trusted: false, expected }))).rejects.toMatchObject({
    name: 'ValidationError',
    message: expect.stringMatching(/^The host \S+ is not on a public network$/),
  });
  expect(server.requests).toHaveLength(0);
  expect(log).toEqual([]);
});

test('a name that resolves to something else the second time does not get through', async () => {
  const server = await fixtureServer({ '/a': sends(Buffer.from('x')) });
  const answers = ['192.0.2.1', '127.0.0.1'];
  const lookup: LookupFunction = (_host, options, callback) => {
    const address = answers.shift()!;
    if (options.all) callback(null, [{ address, family: 4 }]);
    else callback(null, address, 4);
  };
  const host = 'rebinding.example';
  expect(await assertPublicHost(host, undefined, lookup)).toEqual([{ address: '192.0.2.1', family: 4 }]);
  await expect(
    scheduler({}, { lookup }).file(job(`http://${host}:${server.port}/a`, { trusted: false, expected })),
  ).rejects.toMatchObject({ message: `The host ${host} is not on a public network` });
  expect(answers).toEqual([]);
  expect(server.requests).toHaveLength(0);
});

test.each(['ftp://a.example/f', 'file:///etc/passwd', 'not a url'])('%s is refused', (url) => {
  expect(() => destinationOf(url, { trusted: false })).toThrow(/^Could not download .*: it is not/);
});

test.each([
  [{ limit: 3, perHost: 32 }, 3],
  [{ limit: 32, perHost: 2 }, 2],
])('never more than the limit %o at a time', async (limits, most) => {
  const server = await fixtureServer((response, request, hit) =>
    setTimeout(() => sends(Buffer.from(request.url!))(response, request, hit), 5),
  );
  const one = scheduler(limits);
  await Promise.all(Array.from({ length: 20 }, (_, index) => one.file(job(`${server.origin}/${index}`))));
  expect(server.mostInFlight()).toBe(most);
  expect(one.load).toEqual({ running: 0, waiting: 0 });
});

test.each<[string, Answer]>([
  ['waiting for the answer', () => undefined],
  [
    'reading the body',
    (response) => response.writeHead(200, { 'content-length': 5_000_000 }).write(Buffer.alloc(1_000_000)),
  ],
  ['waiting for the next try', (response) => response.writeHead(503, { 'retry-after': '60' }).end()],
])('an abort while %s ends at once and leaves nothing', async (_, answer) => {
  const abort = new AbortController();
  const server = await fixtureServer({
    '/a': (response, request, hit) => {
      answer(response, request, hit);
      setTimeout(() => abort.abort(new Error('cancelled')), 50);
    },
  });
  await expect(scheduler().file(job(`${server.origin}/a`, { signal: abort.signal }))).rejects.toThrow(
    'cancelled',
  );
  await nothingStays();
  await expect(scheduler().file(job(`${server.origin}/a`, { signal: abort.signal }))).rejects.toThrow(
    'cancelled',
  );
  expect(server.requests).toHaveLength(1);
});

test('documents: gzip, accepted statuses, size limit, final URL', async () => {
  const server = await fixtureServer({
    '/plain': sends(Buffer.from('{"a":1}'), { 'content-type': 'application/json' }),
    '/gzip': sends(gzipSync('{"a":1}'), { 'content-type': 'application/json', 'content-encoding': 'gzip' }),
    '/moved': redirects('/plain'),
    '/bomb': sends(gzipSync(Buffer.alloc(1_000_000)), { 'content-encoding': 'gzip' }),
    '/large': sends(Buffer.alloc(20_000)),
    '/flaky': (response, request, hit) =>
      hit === 1 ? response.writeHead(502).end() : sends(Buffer.from('fine'))(response, request, hit),
  });
  const one = scheduler();
  const get = (path: string, accept: number[] = []) => {
    const { destination, log, signal } = job(server.origin + path, {
      headers: { Accept: 'application/json' },
    });
    return one.document({ destination, log, signal, maxBytes: 10_000, accept });
  };
  const plain = {
    status: 200,
    headers: expect.objectContaining({ 'content-type': 'application/json' }),
    contentType: 'application/json',
    body: Buffer.from('{"a":1}'),
    url: `${server.origin}/plain`,
  };
  expect(await get('/plain')).toEqual(plain);
  expect(await get('/gzip')).toEqual({ ...plain, url: `${server.origin}/gzip` });
  expect(await get('/moved')).toEqual(plain);
  expect(await get('/absent', [404])).toMatchObject({ status: 404, body: Buffer.from('not here') });
  expect((await get('/flaky')).body.toString()).toBe('fine');
  await expect(get('/absent')).rejects.toMatchObject({
    message: `Could not download ${server.origin}/absent: status 404`,
  });
  for (const path of ['/bomb', '/large']) {
    await expect(get(path)).rejects.toMatchObject({
      message: `The document ${server.origin}${path} is larger than 10000 bytes`,
    });
  }
  expect(server.requests[0]!.headers).toMatchObject({
    accept: 'application/json',
    'accept-encoding': 'gzip',
  });
});
