import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { readSettings, type Settings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import type { ArtifactRequest, HashAlgorithm } from '../../../src/workers/downloads/artifact-store.ts';
import { DatabaseArtifactStore } from '../../../src/workers/downloads/database-artifact-store.ts';
import { DownloadScheduler } from '../../../src/workers/downloads/scheduler.ts';
import { testDatabase } from '../../support/database.ts';
import { type Answer, type FixtureServer, fixtureServer } from './fixture-server.ts';

let database: Database;
let root: string;
let blobs: FileBlobStore;
const schedulers: DownloadScheduler[] = [];

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'artifacts-'));
  blobs = new FileBlobStore(root);
  await blobs.check();
});
afterEach(async () => {
  await Promise.all(schedulers.splice(0).map((scheduler) => scheduler.close()));
  await rm(root, { recursive: true, force: true });
  await database.sql.query('delete from artifacts');
  await database.sql.query('delete from artifact_claims');
  await database.sql.query('delete from blobs');
});

interface Process {
  store: DatabaseArtifactStore;
  abort: AbortController;
  progress: { expected: number; files: number; bytes: number; cachedFiles: number };
  log: string[];
  statements: string[];
}

/** A store as another process has it: with a scheduler of its own, unless one is given. */
function otherProcess(
  options: { settings?: Partial<Settings>; scheduler?: DownloadScheduler } = {},
): Process {
  const settings = { ...readSettings({}), ...options.settings };
  const scheduler =
    options.scheduler ?? new DownloadScheduler(settings, { retryPolicy: { retries: 2, wait: () => 1 } });
  schedulers.push(scheduler);
  const progress = { expected: 0, files: 0, bytes: 0, cachedFiles: 0 };
  const log: string[] = [];
  const statements: string[] = [];
  const abort = new AbortController();
  const write = (line: string): void => void log.push(line);
  const store = new DatabaseArtifactStore({
    sql: {
      query: (text, parameters) => {
        statements.push(text);
        return database.sql.query(text, parameters);
      },
    },
    blobs,
    scheduler,
    settings,
    log: { debug: write, info: write, warn: write },
    progress: {
      expect: ({ files = 0 }) => {
        progress.expected += files;
      },
      add: ({ files = 0, bytes = 0, cachedFiles = 0 }) => {
        progress.files += files;
        progress.bytes += bytes;
        progress.cachedFiles += cachedFiles;
      },
    },
    signal: abort.signal,
  });
  return { store, abort, progress, log, statements };
}

const hash = (algorithm: HashAlgorithm, text: string): string =>
  createHash(algorithm).update(text).digest('hex');
const sends =
  (text: string): Answer =>
  (response) =>
    response.end(text);

function requestOf(
  server: FixtureServer,
  path: string,
  options: Partial<ArtifactRequest> = {},
): ArtifactRequest {
  return {
    key: `test:${path}`,
    url: `https://files.example${path}`,
    upstream: { url: server.origin + path },
    expected: [],
    fileName: path.slice(1),
    ...options,
  };
}

const rows = () =>
  database.sql.query<{ key: string; url: string; digest: string; digests: object; metadata: object }>(
    'select key, url, digest, digests, metadata from artifacts order by key',
  );
const claims = () => database.sql.query('select key from artifact_claims');
async function storedBlobs(): Promise<Digest[]> {
  const digests: Digest[] = [];
  for await (const blob of blobs.list()) digests.push(blob.digest);
  return digests;
}

test('fetches, records, and does not fetch again', async () => {
  const server = await fixtureServer({ '/a': sends('first'), '/b': sends('second') });
  const requests = [
    requestOf(server, '/b', { expected: [{ algorithm: 'sha512', hex: hash('sha512', 'second') }] }),
    requestOf(server, '/a', { record: ['sha1'] }),
    requestOf(server, '/b'),
  ];
  const cold = otherProcess();
  const [b, a, again] = await cold.store.fetchAll(requests);
  expect(a).toEqual({
    key: 'test:/a',
    url: 'https://files.example/a',
    digest: `sha256:${hash('sha256', 'first')}`,
    size: 5,
    crc32: expect.any(Number),
    digests: { sha1: hash('sha1', 'first'), sha256: hash('sha256', 'first') },
    metadata: null,
    cached: false,
  });
  expect(b).toMatchObject({ key: 'test:/b', size: 6, cached: false });
  expect(again).toEqual({ ...b, cached: true });
  expect(cold.progress).toEqual({ expected: 3, files: 3, bytes: 11, cachedFiles: 1 });
  expect(server.requests).toHaveLength(2);
  expect((await rows()).map((row) => [row.key, row.url, row.digest])).toEqual([
    ['test:/a', 'https://files.example/a', a!.digest],
    ['test:/b', 'https://files.example/b', b!.digest],
  ]);
  expect(await claims()).toEqual([]);

  const warm = otherProcess();
  expect(await warm.store.fetchAll(requests)).toEqual([
    { ...b, cached: true },
    { ...a, cached: true },
    { ...b, cached: true },
  ]);
  expect(warm.statements).toHaveLength(1);
  expect(warm.progress).toEqual({ expected: 3, files: 3, bytes: 0, cachedFiles: 3 });
  expect(server.requests).toHaveLength(2);
});

test('a thousand files take a handful of statements', async () => {
  const server = await fixtureServer((response, request) => response.end(request.url));
  const { store, statements } = otherProcess();
  const startedAt = performance.now();
  const artifacts = await store.fetchAll(
    Array.from({ length: 1000 }, (_, index) => requestOf(server, `/${index}`)),
  );
  expect(artifacts.map((artifact) => artifact.key)).toEqual(
    Array.from({ length: 1000 }, (_, index) => `test:/${index}`),
  );
  // Rows are written every quarter of a second at most, however long a busy machine takes.
  const quarters = Math.floor((performance.now() - startedAt) / 250);
  expect(statements.length).toBeLessThan(18 + quarters);
  expect(await rows()).toHaveLength(1000);
  expect(await claims()).toEqual([]);
});

test('a digest that was not known yet is computed once and kept', async () => {
  const server = await fixtureServer({ '/a': sends('bytes') });
  await otherProcess().store.fetch(requestOf(server, '/a'));
  const request = requestOf(server, '/a', { expected: [{ algorithm: 'sha1', hex: hash('sha1', 'bytes') }] });
  const artifact = await otherProcess().store.fetch(request);
  expect(artifact).toMatchObject({ cached: true, digests: { sha1: hash('sha1', 'bytes') } });
  expect((await rows())[0]!.digests).toEqual({
    sha1: hash('sha1', 'bytes'),
    sha256: hash('sha256', 'bytes'),
  });
  expect(server.requests).toHaveLength(1);
});

test('other bytes than those in the store are fetched anew and replace the row only when they verify', async () => {
  let content = 'old';
  const server = await fixtureServer({ '/a': (response) => response.end(content) });
  await otherProcess().store.fetch(requestOf(server, '/a'));
  const request = requestOf(server, '/a', {
    expected: [{ algorithm: 'sha256', hex: hash('sha256', 'new') }],
  });
  await expect(otherProcess().store.fetch(request)).rejects.toMatchObject({
    code: 'checksum-mismatch',
    message: `The file a has an unexpected checksum value, expected ${hash('sha256', 'new')} but computed ${hash('sha256', 'old')}`,
  });
  expect((await rows())[0]!.digest).toBe(`sha256:${hash('sha256', 'old')}`);
  content = 'new';
  expect(await otherProcess().store.fetch(request)).toMatchObject({ cached: false, size: 3 });
  expect((await rows())[0]).toMatchObject({
    digest: `sha256:${hash('sha256', 'new')}`,
    digests: { sha256: hash('sha256', 'new') },
  });
});

test('a row whose blob is gone is fetched again', async () => {
  const server = await fixtureServer({ '/a': sends('bytes') });
  const { digest } = await otherProcess().store.fetch(requestOf(server, '/a'));
  await blobs.delete(digest);
  expect(await otherProcess().store.fetch(requestOf(server, '/a'))).toMatchObject({ digest, cached: false });
  expect(await blobs.size(digest)).toBe(5);
});

test('inspections are kept by name, and made up for on stored files', async () => {
  const server = await fixtureServer({ '/a': sends('some bytes') });
  let runs = 0;
  const inspect = (name: string): Partial<ArtifactRequest> => ({
    inspect: {
      name,
      run: async (open) => {
        runs += 1;
        return { text: (await buffer(open())).toString(), hostile: 'a\0b\\u0000\ud800', name };
      },
    },
  });
  const expected = { text: 'some bytes', hostile: 'a\u{fffd}b\\u0000\u{fffd}' };
  const fresh = await otherProcess().store.fetch(requestOf(server, '/a', inspect('one')));
  expect(fresh.metadata).toEqual({ ...expected, name: 'one' });
  expect((await otherProcess().store.fetch(requestOf(server, '/a', inspect('one')))).metadata).toEqual(
    fresh.metadata,
  );
  expect(runs).toBe(1);
  const second = await otherProcess().store.fetch(requestOf(server, '/a', inspect('two')));
  expect(second).toMatchObject({ cached: true, metadata: { ...expected, name: 'two' } });
  expect(runs).toBe(2);
  expect(Object.keys((await rows())[0]!.metadata).toSorted()).toEqual(['one', 'two']);
  expect((await otherProcess().store.fetch(requestOf(server, '/a'))).metadata).toBeNull();
  expect(server.requests).toHaveLength(1);
});

test('a rejected file leaves nothing', async () => {
  const server = await fixtureServer({ '/a': sends('bad') });
  const run = () => Promise.reject(new Error('not a package'));
  await expect(
    otherProcess().store.fetch(requestOf(server, '/a', { inspect: { name: 'x', run } })),
  ).rejects.toThrow('not a package');
  expect(await rows()).toEqual([]);
  expect(await claims()).toEqual([]);
  expect(await storedBlobs()).toEqual([]);
  expect(readdirSync(join(root, 'tmp'))).toEqual([]);
});

test('a rejected file that another key names stays', async () => {
  const server = await fixtureServer({ '/a': sends('same'), '/b': sends('same') });
  const { digest } = await otherProcess().store.fetch(requestOf(server, '/a'));
  const run = () => Promise.reject(new Error('not a package'));
  await expect(
    otherProcess().store.fetch(requestOf(server, '/b', { inspect: { name: 'x', run } })),
  ).rejects.toThrow('not a package');
  expect(await storedBlobs()).toEqual([digest]);
});

test('the first failure stops the rest; what was complete is kept', async () => {
  let release: () => void = () => undefined;
  const server = await fixtureServer({
    '/good': sends('good'),
    '/bad': (response) => {
      release = () => response.writeHead(404).end();
    },
    '/slow': (response) => response.write('beginning'),
  });
  const { store } = otherProcess();
  const inspect = {
    name: 'x',
    run: async () => {
      release();
      return null;
    },
  };
  const failing = store.fetchAll([
    requestOf(server, '/bad'),
    requestOf(server, '/slow'),
    requestOf(server, '/good', { inspect }),
  ]);
  await expect(failing).rejects.toMatchObject({
    code: 'fetch-failed',
    message: `Could not download ${server.origin}/bad: status 404`,
  });
  expect((await rows()).map((row) => row.key)).toEqual(['test:/good']);
  expect(await storedBlobs()).toEqual([`sha256:${hash('sha256', 'good')}`]);
  expect(await claims()).toEqual([]);
  expect(readdirSync(join(root, 'tmp'))).toEqual([]);
});

test('what comes after the first failure is not asked for, and waits for nothing', async () => {
  const server = await fixtureServer((response, request) =>
    request.url === '/7' ? response.writeHead(404).end() : response.end(request.url),
  );
  const { store } = otherProcess();
  const requests = Array.from({ length: 2000 }, (_, index) => requestOf(server, `/${index}`));
  await expect(store.fetchAll(requests)).rejects.toMatchObject({ code: 'fetch-failed' });
  expect(server.requests.length).toBeLessThan(400);
  expect(await claims()).toEqual([]);
});

test('an abort ends everything and leaves no files', async () => {
  const { store, abort } = otherProcess();
  const server = await fixtureServer({
    '/slow': (response) => {
      response.write(randomBytes(1_000_000));
      setTimeout(() => abort.abort(new Error('cancelled')), 20);
    },
  });
  await expect(store.fetchAll([requestOf(server, '/slow')])).rejects.toThrow('cancelled');
  expect(await rows()).toEqual([]);
  expect(await claims()).toEqual([]);
  expect(await storedBlobs()).toEqual([]);
  expect(readdirSync(join(root, 'tmp'))).toEqual([]);
  await expect(store.fetchAll([requestOf(server, '/slow')])).rejects.toThrow('cancelled');
});

const late =
  (text: string): Answer =>
  (response) =>
    void setTimeout(() => response.end(text), 60);

test('two processes that want the same files fetch each once', async () => {
  const server = await fixtureServer((response, request, hit) => late(request.url!)(response, request, hit));
  const [one, two] = [otherProcess(), otherProcess()];
  const requests = Array.from({ length: 40 }, (_, index) => requestOf(server, `/${index}`));
  const results = await Promise.all([
    one.store.fetchAll(requests),
    two.store.fetchAll(requests.toReversed()),
  ]);
  expect(server.requests).toHaveLength(40);
  const cached = results.map((artifacts) => artifacts.filter((artifact) => artifact.cached).length);
  expect(cached[0]! + cached[1]!).toBe(40);
  expect(await claims()).toEqual([]);
});

test('two steps of one process fetch each file once', async () => {
  const server = await fixtureServer({ '/a': late('x') });
  const one = otherProcess();
  const two = otherProcess({ scheduler: schedulers[0]! });
  const artifacts = await Promise.all([
    one.store.fetch(requestOf(server, '/a')),
    one.store.fetch(requestOf(server, '/a')),
    two.store.fetch(requestOf(server, '/a')),
  ]);
  expect(artifacts.map((artifact) => artifact.cached).toSorted()).toEqual([false, true, true]);
  expect(server.requests).toHaveLength(1);
});

test('who waits takes over when the other one gives up', async () => {
  const first = otherProcess();
  const asked = Promise.withResolvers<void>();
  const server = await fixtureServer({
    '/a': (response, request, hit) => {
      if (hit > 1) sends('x')(response, request, hit);
      else asked.resolve();
    },
  });
  const failing = first.store.fetch(requestOf(server, '/a'));
  failing.catch(() => undefined);
  // The first one has it, for sure, before the others want it.
  await asked.promise;
  const others = [otherProcess({ scheduler: schedulers[0]! }), otherProcess()];
  const waiting = Promise.all(others.map(({ store }) => store.fetch(requestOf(server, '/a'))));
  first.abort.abort(new Error('cancelled'));
  const artifacts = await waiting;
  await expect(failing).rejects.toThrow('cancelled');
  expect(artifacts.map((artifact) => artifact.size)).toEqual([1, 1]);
  expect(server.requests).toHaveLength(2);
});

test('the claim of a dead process is taken over', async () => {
  const server = await fixtureServer({ '/a': sends('x') });
  await database.sql.query(
    "insert into artifact_claims values ('test:/a', 'dead', now() - interval '10 minutes')",
  );
  expect((await otherProcess().store.fetch(requestOf(server, '/a'))).cached).toBe(false);
  expect(await claims()).toEqual([]);
});

test('a wait for the claim of a living process ends with the signal', async () => {
  const server = await fixtureServer({ '/a': sends('x') });
  await database.sql.query("insert into artifact_claims values ('test:/a', 'alive', now())");
  const { store, abort } = otherProcess();
  const waiting = store.fetch(requestOf(server, '/a'));
  setTimeout(() => abort.abort(new Error('cancelled')), 60);
  await expect(waiting).rejects.toThrow('cancelled');
  expect(await claims()).toEqual([{ key: 'test:/a' }]);
  expect(server.requests).toHaveLength(0);
});

test('derived files are made once', async () => {
  let made = 0;
  const derived = {
    key: 'derived:a',
    url: 'git+https://files.example/a.git',
    record: ['sha512'] as const,
    produce: async () => {
      made += 1;
      return { content: Buffer.from('packed'), metadata: { commit: 'c' } };
    },
  };
  const [one, two] = await Promise.all([
    otherProcess().store.derive(derived),
    otherProcess().store.derive(derived),
  ]);
  expect(made).toBe(1);
  expect([one.cached, two.cached].toSorted()).toEqual([false, true]);
  expect({ ...one, cached: null }).toEqual({ ...two, cached: null });
  expect(one).toMatchObject({
    key: 'derived:a',
    url: 'git+https://files.example/a.git',
    size: 6,
    digests: { sha256: hash('sha256', 'packed'), sha512: hash('sha512', 'packed') },
    metadata: { commit: 'c' },
  });
});

test('a URL is fetched from its mirror, which may be private, and keeps its name', async () => {
  const server = await fixtureServer({ '/mirror/a.tgz': sends('x') });
  const { store } = otherProcess({
    settings: {
      urlRewrites: [{ prefix: 'https://files.example/', replacement: `${server.origin}/mirror/` }],
    },
  });
  const artifact = await store.fetch({
    key: 'url:https://files.example/a.tgz',
    url: 'https://files.example/a.tgz',
    expected: [],
    fileName: 'a.tgz',
  });
  expect(artifact.url).toBe('https://files.example/a.tgz');
  const document = await store.fetchDocument({ url: 'https://files.example/a.tgz', trusted: false });
  expect(document).toMatchObject({
    status: 200,
    body: Buffer.from('x'),
    url: `${server.origin}/mirror/a.tgz`,
  });
});

test('what a lock file names must be public, and have a digest when it is http', async () => {
  const server = await fixtureServer({ '/a': sends('x') });
  const { store } = otherProcess();
  const direct = { key: 'k', url: `${server.origin}/a`, fileName: 'a' };
  await expect(
    store.fetch({ ...direct, expected: [{ algorithm: 'sha256', hex: hash('sha256', 'x') }] }),
  ).rejects.toMatchObject({ message: 'The host 127.0.0.1 is not on a public network' });
  await expect(store.fetch({ ...direct, expected: [] })).rejects.toMatchObject({ code: 'missing-checksum' });
  await expect(store.fetchDocument({ url: `${server.origin}/a`, trusted: false })).rejects.toMatchObject({
    code: 'missing-checksum',
  });
  expect((await store.fetchDocument({ url: `${server.origin}/a`, trusted: true })).body.toString()).toBe('x');
  await expect(store.fetch({ ...direct, url: 'a\0b', expected: [] })).rejects.toMatchObject({
    code: 'invalid-input',
  });
  expect(server.requests).toHaveLength(1);
});
