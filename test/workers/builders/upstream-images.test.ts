import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type LookupFunction } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { readSettings, type Settings } from '../../../src/domain/config.ts';
import { openRegistry, type Registry } from '../../../src/domain/registry/registry.ts';
import type { AskTools } from '../../../src/workers/builders/upstream-images/container-tools.ts';
import {
  type CopiedImage,
  UpstreamImages,
} from '../../../src/workers/builders/upstream-images/upstream-images.ts';
import { DownloadScheduler } from '../../../src/workers/downloads/scheduler.ts';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  PASSWORD,
  RegistryStack,
  sha256,
} from '../../support/registry-stack.ts';
import { type Answer, cutAfter, type FixtureServer, fixtureServer } from '../downloads/fixture-server.ts';

const AMD64 = { os: 'linux', architecture: 'amd64', variant: null };
const ARM64 = { os: 'linux', architecture: 'arm64', variant: null };

/** Our own gateway, and what a worker beside it has. */
let ours: RegistryStack;
let registry: Registry;
let directory: string;
const schedulers: DownloadScheduler[] = [];

beforeAll(async () => {
  ours = await RegistryStack.start();
  directory = await mkdtemp(join(tmpdir(), 'stowage-upstream-'));
  const { database, blobs } = ours;
  registry = openRegistry({ settings: readSettings({}), database, blobs });
});
afterEach(async () => {
  await Promise.all(schedulers.splice(0).map((scheduler) => scheduler.close()));
});
afterAll(async () => {
  await registry.close();
  await ours.close();
  await rm(directory, { recursive: true, force: true });
});

/** A worker of its own; the log is what the user of a build sees. */
function worker(
  changes: Partial<Settings> = {},
  askTools: AskTools = async () => null,
  lookup?: LookupFunction,
) {
  const settings = { ...readSettings({}), allowPrivateNetworks: true, ...changes };
  const scheduler = new DownloadScheduler(settings, {
    retryPolicy: { retries: 3, wait: () => 1 },
    ...(lookup && { lookup }),
  });
  schedulers.push(scheduler);
  const images = new UpstreamImages({ settings, registry, scheduler, askTools });
  const log: string[] = [];
  const write = (line: string): void => void log.push(line);
  const copy = (name: string, { platform = AMD64, signal = new AbortController().signal } = {}) =>
    images.copy(name, { platform, signal, log: { debug: write, info: write, warn: write } });
  return { copy, log };
}

interface FakeImage {
  manifest: string;
  digest: string;
  mediaType: string;
  blobs: Map<string, Buffer>;
}

let made = 0;
function fakeImage(architecture = 'amd64', content = `layer ${++made}`): FakeImage {
  const layer = gzipSync(content);
  const config = Buffer.from(
    JSON.stringify({ os: 'linux', architecture, rootfs: { type: 'layers' }, content }),
  );
  const manifest = JSON.stringify(
    imageManifest({ config: descriptor(config, OCI_CONFIG), layers: [descriptor(layer, OCI_LAYER)] }),
  );
  return {
    manifest,
    digest: sha256(manifest),
    mediaType: OCI_MANIFEST,
    blobs: new Map([
      [sha256(config), config],
      [sha256(layer), layer],
    ]),
  };
}

function fakeIndex(...images: [FakeImage, string][]): FakeImage {
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    manifests: images.map(([image, architecture]) =>
      descriptor(image.manifest, OCI_MANIFEST, { platform: { os: 'linux', architecture } }),
    ),
  });
  return { manifest, digest: sha256(manifest), mediaType: OCI_INDEX, blobs: new Map() };
}

/** What `/v2/<path>/…` of an upstream has. `before` may answer instead. */
class FakeUpstream {
  readonly tags = new Map<string, string>();
  readonly content = new Map<string, { body: Buffer; type: string }>();
  before: Answer | null = null;
  server!: FixtureServer;

  static async start(...images: [tag: string | null, image: FakeImage][]): Promise<FakeUpstream> {
    const upstream = new FakeUpstream();
    for (const [tag, image] of images) upstream.put(tag, image);
    upstream.server = await fixtureServer((response, request, hit) => {
      upstream.before?.(response, request, hit);
      if (!response.headersSent) upstream.#answer(response, request, hit);
    });
    return upstream;
  }

  put(tag: string | null, { manifest, digest, mediaType, blobs }: FakeImage): void {
    if (tag !== null) this.tags.set(tag, digest);
    this.content.set(digest, { body: Buffer.from(manifest), type: mediaType });
    for (const [address, body] of blobs)
      this.content.set(address, { body, type: 'application/octet-stream' });
  }

  get host(): string {
    return `127.0.0.1:${this.server.port}`;
  }

  /** `METHOD kind/reference`, since the last call. */
  took(): string[] {
    return this.server.requests.splice(0).map(({ method, url }) => `${method} ${shortOf(url!)}`);
  }

  #answer: Answer = (response, { url, method }) => {
    const reference = url!.split('/').at(-1)!;
    const digest = this.tags.get(reference) ?? reference;
    const found = this.content.get(digest);
    if (!found) return void response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
    response.writeHead(200, {
      'content-type': found.type,
      'content-length': found.body.length,
      'docker-content-digest': digest,
    });
    response.end(method === 'HEAD' ? undefined : found.body);
  };
}

function shortOf(url: string): string {
  return url.replace(/^.*\/(manifests|blobs)\//, '$1/').replace(/sha256:([0-9a-f]{6})[0-9a-f]*/, '$1');
}

function short(digest: string): string {
  return digest.slice('sha256:'.length, 'sha256:'.length + 6);
}

function pathOf(upstream: FakeUpstream, path: string): string {
  return `upstream/127.0.0.1__${upstream.server.port}/${path}`;
}

async function pull(path: string, reference: string, as: 'ada' | 'eve' | 'anonymous' = 'eve') {
  return await ours.call('GET', `/v2/${path}/manifests/${reference}`, { as });
}

/** Everything of an image, as somebody who builds gets it from our registry. */
async function expectWhole(path: string, image: FakeImage): Promise<void> {
  const manifest = await pull(path, image.digest);
  expect([manifest.status, manifest.body.toString()]).toEqual([200, image.manifest]);
  expect(manifest.headers.get('content-type')).toBe(image.mediaType);
  for (const [digest, bytes] of image.blobs) {
    const blob = await ours.call('GET', `/v2/${path}/blobs/${digest}`, { as: 'eve' });
    expect([blob.status, blob.body.equals(bytes)]).toEqual([200, true]);
  }
}

test('an image of another Stowage comes with the tokens of its registry, and whoever is logged in may pull the copy', async () => {
  const upstream = await RegistryStack.start();
  try {
    const { digest, text } = await upstream.pushImage('apps/images/base', 'v1');
    const host = new URL(upstream.url).host;
    const auth = Buffer.from(`ada:${PASSWORD}`).toString('base64');
    const imageAuthFile = join(directory, 'config.json');
    await writeFile(imageAuthFile, JSON.stringify({ auths: { [host]: { auth } } }));
    const { copy } = worker({ imageAuthFile });
    const path = `upstream/${host.replace(':', '__')}/apps/images/base`;
    expect(await copy(`${host}/apps/images/base:v1`)).toEqual({ path, digest });
    expect((await pull(path, 'v1')).body.toString()).toBe(text);
    expect((await pull(path, 'v1', 'anonymous')).status).toBe(401);

    await writeFile(imageAuthFile, '{"auths":{}}');
    expect(await worker({ imageAuthFile }).copy(`${host}/apps/images/other:v1`)).toEqual({
      problem: `${host}/apps/images/other: the registry asks for credentials, or has no such image`,
    });
  } finally {
    await upstream.close();
  }
});

test('nobody pushes to the copies, not even administrators', async () => {
  const upstream = await FakeUpstream.start(['1', fakeImage()]);
  await worker().copy(`${upstream.host}/base:1`);
  for (const as of ['ada', 'admin'] as const) {
    const answer = await ours.putManifest(pathOf(upstream, 'base'), '1', imageManifest({}), { as });
    expect([answer.status, answer.codes()]).toEqual([403, ['DENIED']]);
  }
});

test('what is here is not fetched again: the tag is looked up, and nothing else', async () => {
  const image = fakeImage();
  const upstream = await FakeUpstream.start(['1', image]);
  const name = `${upstream.host}/team/base:1`;
  const path = pathOf(upstream, 'team/base');
  const [config, layer] = [...image.blobs.keys()].map(short);
  expect(await worker().copy(name)).toEqual({ path, digest: image.digest });
  expect(upstream.took()).toEqual([
    'HEAD manifests/1',
    `GET manifests/${short(image.digest)}`,
    ...[`GET blobs/${config}`, `GET blobs/${layer}`],
  ]);
  await expectWhole(path, image);
  expect(await worker().copy(name)).toEqual({ path, digest: image.digest });
  expect(upstream.took()).toEqual(['HEAD manifests/1']);

  const next = fakeImage('amd64', 'changed');
  next.blobs.set([...image.blobs.keys()][1]!, [...image.blobs.values()][1]!);
  upstream.put('1', next);
  expect(await worker().copy(name)).toEqual({ path, digest: next.digest });
  expect((await pull(path, '1')).body.toString()).toBe(next.manifest);

  upstream.took();
  expect(await worker().copy(`${upstream.host}/team/base@${image.digest}`)).toEqual({
    path,
    digest: image.digest,
  });
  expect(upstream.took()).toEqual([]);
});

test('a layer that another copy has is not fetched, one that somebody has pushed here is', async () => {
  const image = fakeImage();
  const upstream = await FakeUpstream.start(['1', image]);
  const { copy } = worker();
  await copy(`${upstream.host}/one:1`);
  upstream.took();
  expect(await copy(`${upstream.host}/two:1`)).toEqual({
    path: pathOf(upstream, 'two'),
    digest: image.digest,
  });
  expect(upstream.took()).toEqual(['HEAD manifests/1', `GET manifests/${short(image.digest)}`]);

  const secret = fakeImage('amd64', 'of a private project');
  const [layer] = [...secret.blobs.values()].slice(1);
  const digest = await ours.pushBlob('apps/images/private', layer!);
  upstream.put('secret', secret);
  upstream.content.delete(digest);
  expect(await copy(`${upstream.host}/three:secret`)).toEqual({
    problem: expect.stringContaining(`blobs/${digest}: status 404`),
  });
  const read = await ours.call('GET', `/v2/${pathOf(upstream, 'three')}/blobs/${digest}`, { as: 'eve' });
  expect(read.status).toBe(404);
});

test('of an index only the platform that is wanted comes; another one comes when it is wanted', async () => {
  const amd64 = fakeImage('amd64');
  const arm64 = fakeImage('arm64');
  const index = fakeIndex([amd64, 'amd64'], [arm64, 'arm64']);
  const upstream = await FakeUpstream.start(['1', index], [null, amd64], [null, arm64]);
  const name = `${upstream.host}/multi:1`;
  const path = pathOf(upstream, 'multi');
  const { copy } = worker();
  expect(await copy(name)).toEqual({ path, digest: amd64.digest });
  await expectWhole(path, amd64);
  expect((await pull(path, '1')).body.toString()).toBe(index.manifest);
  expect((await pull(path, arm64.digest)).status).toBe(404);
  expect(await copy(name, { platform: ARM64 })).toEqual({ path, digest: arm64.digest });
  await expectWhole(path, arm64);
  upstream.took();
  expect(await copy(name, { platform: ARM64 })).toEqual({ path, digest: arm64.digest });
  expect(upstream.took()).toEqual(['HEAD manifests/1']);
  expect(await copy(name, { platform: { os: 'linux', architecture: 's390x', variant: null } })).toEqual({
    problem: `${upstream.host}/multi: it does not exist for linux/s390x`,
  });
});

test('an upstream that is away does not stop who has the image, and says so in the log', async () => {
  const image = fakeImage();
  const upstream = await FakeUpstream.start(['1', image]);
  const name = `${upstream.host}/steady:1`;
  const path = pathOf(upstream, 'steady');
  await worker().copy(name);
  upstream.took();
  upstream.before = (response) => void response.writeHead(503).end();
  const { copy, log } = worker();
  expect(await copy(name)).toEqual({ path, digest: image.digest });
  // One retry, not all of them: there is another way out.
  expect(upstream.took()).toEqual(['HEAD manifests/1', 'HEAD manifests/1']);
  expect(log.at(-1)).toMatch(
    /^Warning: .*\/steady is used as it was when it was fetched last \(.*status 503\)$/,
  );
  expect(await copy(`${upstream.host}/steady@${sha256('other')}`)).toEqual({
    problem: expect.stringContaining('status 503'),
    isAway: true,
  });
  upstream.took();
  expect(await copy(`${upstream.host}/steady:2`)).toEqual({
    problem: expect.stringContaining('status 503'),
    isAway: true,
  });
  // Without another way out it is worth waiting: all of them.
  expect(upstream.took()).toEqual(Array.from({ length: 4 }, () => 'HEAD manifests/2'));
});

test('a registry that refuses connections is tried once more, and no longer', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  await new Promise((resolve) => server.close(resolve));
  const { copy, log } = worker();
  expect(await copy(`${host}/app:1`)).toEqual({
    problem: `${host}/app: the registry http://${host} cannot be reached: connect ECONNREFUSED ${host}`,
    isAway: true,
  });
  expect(log.filter((line) => line.startsWith('retry '))).toEqual([
    expect.stringMatching(/^retry 1 of 1 in /),
  ]);
});

test.each(['ENOTFOUND', 'EAI_AGAIN'])('a registry whose name gives %s is tried once more', async (code) => {
  const lookup: LookupFunction = (name, _options, done) => {
    const error = Object.assign(new Error(`getaddrinfo ${code} ${name}`), { code });
    done(error, '', 4);
  };
  const { copy, log } = worker({}, async () => null, lookup);
  expect(await copy('registry.example/app:1')).toEqual({
    problem: `registry.example/app: the registry https://registry.example cannot be reached: getaddrinfo ${code} registry.example`,
    isAway: true,
  });
  expect(log.filter((line) => line.startsWith('retry '))).toEqual([
    expect.stringMatching(/^retry 1 of 1 in /),
  ]);
});

test('a tag that is gone upstream is not taken from the cache', async () => {
  const upstream = await FakeUpstream.start(['1', fakeImage()]);
  const name = `${upstream.host}/gone:1`;
  await worker().copy(name);
  upstream.tags.clear();
  expect(await worker().copy(name)).toEqual({ problem: `${upstream.host}/gone: there is no tag "1"` });
});

test.each([
  [401, 'the registry asks for credentials, or has no such image'],
  [403, 'the registry asks for credentials, or has no such image'],
  [404, 'there is no tag "1"'],
])('status %i is an answer: %s', async (status, problem) => {
  const upstream = await FakeUpstream.start();
  upstream.before = (response) => void response.writeHead(status).end();
  expect(await worker().copy(`${upstream.host}/refused:1`)).toEqual({
    problem: `${upstream.host}/refused: ${problem}`,
  });
  expect(upstream.took()).toEqual(['HEAD manifests/1']);
});

test('429 is waited for as long as it says', async () => {
  const image = fakeImage();
  const upstream = await FakeUpstream.start(['1', image]);
  upstream.before = (response, { url }, hit) => {
    if (hit === 1 && url!.endsWith('/1')) response.writeHead(429, { 'retry-after': '1' }).end();
  };
  const before = Date.now();
  expect(await worker().copy(`${upstream.host}/busy:1`)).toEqual({
    path: pathOf(upstream, 'busy'),
    digest: image.digest,
  });
  expect(Date.now() - before).toBeGreaterThan(900);
});

test.each<[string, Answer]>([
  [
    'a manifest of another digest',
    (response, { url }) => {
      if (url!.includes('manifests/sha256'))
        response.writeHead(200, { 'content-type': OCI_MANIFEST }).end('{}');
    },
  ],
  [
    'a layer of another digest',
    (response, { url }) => {
      if (url!.includes('blobs')) response.writeHead(200).end('other bytes');
    },
  ],
  [
    'a layer that never ends',
    (response, { url }) => {
      if (url!.includes('blobs')) response.writeHead(200).end(Buffer.alloc(1_000_000));
    },
  ],
  [
    'a layer that always breaks off',
    (response, { url }) => {
      if (url!.includes('blobs')) cutAfter(response, Buffer.from('x'), { 'content-length': 1000 });
    },
  ],
])('nothing is kept of %s', async (_, before) => {
  const image = fakeImage();
  const upstream = await FakeUpstream.start(['1', image]);
  upstream.before = before;
  const name = `${upstream.host}/wrong:1`;
  const refused = (await worker().copy(name)) as { problem: string };
  expect(refused).toEqual({
    problem: expect.stringMatching(/digest|checksum|larger|bytes came|terminated|other side/),
  });
  expect((await pull(pathOf(upstream, 'wrong'), '1')).status).toBe(404);
  upstream.before = null;
  expect(await worker().copy(name)).toEqual({ path: pathOf(upstream, 'wrong'), digest: image.digest });
});

test('a page that says 200 is no image', async () => {
  const upstream = await FakeUpstream.start(['1', fakeImage()]);
  const page = '<!doctype html><title>Maintenance</title>';
  upstream.before = (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end(page);
  expect(await worker().copy(`${upstream.host}/page:1`)).toEqual({
    problem: `${upstream.host}/page: the manifest is not JSON`,
  });
  expect((await pull(pathOf(upstream, 'page'), '1')).status).toBe(404);
});

test('a layer that breaks off once goes on', async () => {
  const image = fakeImage();
  const upstream = await FakeUpstream.start(['1', image]);
  upstream.before = (response, { url }, hit) => {
    const found = upstream.content.get(url!.split('/').at(-1)!);
    if (url!.includes('blobs') && hit === 1) {
      cutAfter(response, found!.body.subarray(0, 5), { 'content-length': found!.body.length });
    }
  };
  expect(await worker().copy(`${upstream.host}/cut:1`)).toEqual({
    path: pathOf(upstream, 'cut'),
    digest: image.digest,
  });
});

test('mirrors go first, in their order, and what lies in them is known by its own name', async () => {
  const image = fakeImage();
  const [first, second] = [await FakeUpstream.start(), await FakeUpstream.start(['1', image])];
  const imageMirrors = [
    { prefix: 'registry.example/team', replacement: `http://${first.host}/cache` },
    { prefix: 'registry.example', replacement: `http://${second.host}/all` },
    { prefix: 'registry.exam', replacement: 'never.example' },
  ];
  const { copy } = worker({ imageMirrors, allowPrivateNetworks: false });
  expect(await copy('registry.example/team/app:1')).toEqual({
    path: 'upstream/registry.example/team/app',
    digest: image.digest,
  });
  expect(first.server.requests.map(({ url }) => url)).toEqual(['/v2/cache/app/manifests/1']);
  expect(second.server.requests[0]!.url).toBe('/v2/all/team/app/manifests/1');
});

test('private addresses that the operator has not named are refused', async () => {
  const upstream = await FakeUpstream.start(['1', fakeImage()]);
  const { copy } = worker({ allowPrivateNetworks: false });
  expect(await copy(`${upstream.host}/app:1`)).toEqual({
    problem: `${upstream.host}/app: The host 127.0.0.1 is not on a public network`,
  });
  expect(upstream.took()).toEqual([]);
});

test('a name without a host is what the container tools say, or asks for it', async () => {
  const image = fakeImage();
  const upstream = await FakeUpstream.start(['12', image]);
  const asked: string[] = [];
  const askTools: AskTools = async (name) => {
    asked.push(name);
    return { name: { host: 'hub.example', path: `library/${name}` }, endpoint: upstream.server.origin };
  };
  const imageAuthFile = join(directory, 'hub.json');
  await writeFile(
    imageAuthFile,
    JSON.stringify({ auths: { 'https://index.hub.example/v1/': { auth: 'dTpw' } } }),
  );
  const { copy } = worker({ imageAuthFile, allowPrivateNetworks: false }, askTools);
  const path = 'upstream/hub.example/library/debian';
  expect(await copy('debian:12')).toEqual({ path, digest: image.digest });
  expect(await copy('debian:12')).toEqual({ path, digest: image.digest });
  expect(asked).toEqual(['debian']);
  expect(await worker().copy('debian')).toEqual({
    problem:
      '"debian" names no registry: write its host before it, or set STOWAGE_IMAGE_MIRRORS (debian=host/path)',
  });
});

test('Basic credentials go where they belong, tokens are got where the registry says and used until they end', async () => {
  const image = fakeImage();
  const upstream = await FakeUpstream.start(['1', image]);
  const seen: (string | undefined)[] = [];
  let valid = 0;
  upstream.before = (response, { url, headers }) => {
    if (url!.startsWith('/token')) {
      seen.push(`${new URL(url!, 'http://x').searchParams} ${headers.authorization}`);
      valid += 1;
      return void response.writeHead(200).end(JSON.stringify({ access_token: `t${valid}`, expires_in: 300 }));
    }
    // The first token ends before the layers are there.
    const isGood = headers.authorization === `Bearer t${valid}` && !(valid === 1 && url!.includes('/blobs/'));
    if (isGood) return;
    const realm = `${upstream.server.origin}/token`;
    response.writeHead(401, {
      'www-authenticate': `Bearer realm="${realm}",service="s, t",scope="repository:app:pull"`,
    });
    response.end();
  };
  const imageAuthFile = join(directory, 'basic.json');
  await writeFile(
    imageAuthFile,
    JSON.stringify({ auths: { [upstream.host]: { username: 'u', password: 'p:w' } } }),
  );
  expect(await worker({ imageAuthFile }).copy(`${upstream.host}/app:1`)).toEqual({
    path: pathOf(upstream, 'app'),
    digest: image.digest,
  });
  const basic = `Basic ${Buffer.from('u:p:w').toString('base64')}`;
  expect(new Set(seen)).toEqual(new Set([`service=s%2C+t&scope=repository%3Aapp%3Apull ${basic}`]));
});

test('two builds that want the same at once fetch it once', async () => {
  const image = fakeImage();
  const upstream = await FakeUpstream.start(['1', image]);
  const { copy } = worker();
  const expected = { path: pathOf(upstream, 'shared'), digest: image.digest };
  const name = `${upstream.host}/shared:1`;
  expect(await Promise.all([copy(name), copy(name), copy(name)])).toEqual([expected, expected, expected]);
  const blobs = upstream.took().filter((one) => one.startsWith('GET blobs'));
  expect(blobs.length).toBe(new Set(blobs).size);
});

test('an aborted build stops, and leaves what it had', async () => {
  const upstream = await FakeUpstream.start(['1', fakeImage()]);
  const abort = new AbortController();
  upstream.before = (response, { url }) => {
    if (!url!.includes('blobs')) return;
    response.writeHead(200);
    abort.abort(new Error('cancelled'));
  };
  await expect(worker().copy(`${upstream.host}/slow:1`, { signal: abort.signal })).rejects.toThrow(
    'cancelled',
  );
});

test('a server that hangs up is away', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  try {
    const outcome = (await worker().copy(`127.0.0.1:${port}/app:1`)) as { problem: string } & CopiedImage;
    expect(outcome.problem).toMatch(/^127\.0\.0\.1:\d+\/app: Could not download /);
  } finally {
    server.close();
  }
});

test.each([
  'host.example/UPPER',
  'a b',
  '../up',
  'host.example/',
  'host.example/..%2f/x',
  'host.example:99999999/x',
  `host.example/${'x/'.repeat(200)}y`,
  'x@sha256:12',
  'http://host.example/x',
  'user:password@host.example/x',
])('%s is no name of an image', async (name) => {
  expect(await worker().copy(name)).toEqual({
    problem: expect.stringContaining('is not the name of an image'),
  });
});

test('a repository that somebody has made where the copies go is left alone', async () => {
  const upstream = await FakeUpstream.start(['1', fakeImage()]);
  const { copy } = worker({ imageCacheProject: 'apps' });
  await ours.database.sql.query(
    `insert into repositories (project_id, name) select id, $1 from projects where name = 'apps'`,
    [`127.0.0.1__${upstream.server.port}`],
  );
  expect(await copy(`${upstream.host}/app:1`)).toEqual({
    problem: expect.stringContaining('STOWAGE_IMAGE_CACHE_PROJECT'),
  });
});
