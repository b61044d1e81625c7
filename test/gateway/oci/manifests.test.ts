import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_EMPTY,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  RegistryStack,
  sha256,
  sha512,
} from '../../support/registry-stack.ts';

let stack: RegistryStack;
const NAME = 'apps/images/manifests';
const CONFIG = '{"os":"linux","architecture":"arm64","variant":"v8"}';
const LAYER = 'a layer';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const DOCKER_LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';

beforeAll(async () => {
  stack = await RegistryStack.start();
  for (const bytes of [CONFIG, LAYER, '{}']) await stack.pushBlob(NAME, bytes);
});
afterAll(() => stack.close());

const config = descriptor(CONFIG, OCI_CONFIG);
const layer = descriptor(LAYER, OCI_LAYER);
const empty = descriptor('{}', OCI_EMPTY);
const absent = descriptor('not here', OCI_LAYER);
const get = (reference: string, method = 'GET', name = NAME) =>
  stack.call(method, `/v2/${name}/manifests/${reference}`);

describe('accepted', () => {
  const image = imageManifest({ config, layers: [layer] });
  const many = Array.from({ length: 20_000 }, () => ({ ...layer, annotations: { 'a.b': 'c'.repeat(50) } }));

  test.each<[string, object, string?]>([
    ['an image', image],
    ['an image without layers', imageManifest({ config })],
    ['an image whose layers are not even mentioned', { schemaVersion: 2, mediaType: OCI_MANIFEST, config }],
    [
      'an image that does not say its media type',
      { schemaVersion: 2, config, layers: [layer] },
      OCI_MANIFEST,
    ],
    [
      'docker schema 2',
      {
        schemaVersion: 2,
        mediaType: DOCKER,
        config: { ...config, mediaType: 'application/vnd.docker.container.image.v1+json' },
        layers: [],
      },
    ],
    [
      'an uncompressed layer',
      imageManifest({ config, layers: [descriptor(LAYER, 'application/vnd.oci.image.layer.v1.tar')] }),
    ],
    [
      'data and fields of its own',
      imageManifest({
        config: { ...empty, data: 'e30=', 'org.example': [1] },
        layers: [{ ...layer, data: Buffer.from(LAYER).toString('base64'), more: { a: null } }],
        'org.example.field': { nested: [true] },
      }),
    ],
    [
      'content that is here in the manifest only',
      imageManifest({
        config: descriptor('{"only":"here"}', OCI_EMPTY, {
          data: Buffer.from('{"only":"here"}').toString('base64'),
        }),
      }),
    ],
    [
      'layers that are not distributed and not here',
      imageManifest({
        config,
        layers: [
          descriptor('foreign', 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', {
            urls: ['https://example.test'],
          }),
          descriptor('foreign too', 'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd'),
        ],
      }),
    ],
    [
      'an artifact',
      imageManifest({ artifactType: 'application/vnd.example', config: empty, layers: [empty] }),
    ],
    ['an empty index', { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }],
    ['an empty docker list', { schemaVersion: 2, mediaType: DOCKER_LIST, manifests: [] }],
    ['a subject that is not here', imageManifest({ config, subject: descriptor('nobody', OCI_MANIFEST) })],
    ['a build cache', { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [layer, config] }],
    ['annotations of all kinds', imageManifest({ config, annotations: { 'a\u0000b': '\ud800', ü: '✓' } })],
    ['a manifest of 4 MiB', imageManifest({ config, layers: many })],
  ])('%s', async (_case, manifest, type) => {
    const text = `${JSON.stringify(manifest, null, 3)}\n`;
    const digest = sha256(text);
    const contentType = type ?? (manifest as { mediaType: string }).mediaType;
    const answer = await stack.putManifest(NAME, 'accepted', text, { type: contentType });
    expect([answer.status, answer.body.toString()]).toEqual([201, '']);
    expect(answer.headers.get('location')).toBe(`/v2/${NAME}/manifests/${digest}`);
    expect(answer.headers.get('docker-content-digest')).toBe(digest);
    for (const reference of ['accepted', digest]) {
      const read = await get(reference);
      expect(read.status).toBe(200);
      expect(read.body.toString() === text).toBe(true);
      const expected = {
        'content-type': contentType,
        'content-length': String(Buffer.byteLength(text)),
        'docker-content-digest': digest,
        etag: `"${digest}"`,
      };
      expect(Object.fromEntries(read.headers)).toMatchObject(expected);
      const head = await get(reference, 'HEAD');
      expect([head.status, head.body.length]).toEqual([200, 0]);
      expect(Object.fromEntries(head.headers)).toMatchObject(expected);
    }
  });

  test('a nested index', async () => {
    const child = JSON.stringify(image);
    await stack.putManifest(NAME, sha256(child), child, { type: OCI_MANIFEST });
    const platform = { os: 'linux', architecture: 'amd64' };
    const inner = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [descriptor(child, OCI_MANIFEST, { platform })],
    });
    expect((await stack.putManifest(NAME, sha256(inner), inner)).status).toBe(201);
    const outer = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor(inner, OCI_INDEX)] };
    expect((await stack.putManifest(NAME, 'nested', outer)).status).toBe(201);
  });

  test('by sha512, with references by sha512', async () => {
    const bytes = Buffer.from('content by sha512');
    await stack.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${sha512(bytes)}`, { body: bytes });
    const text = JSON.stringify(
      imageManifest({
        config: { ...empty },
        layers: [{ mediaType: OCI_LAYER, size: bytes.length, digest: sha512(bytes) }],
      }),
    );
    const digest = sha512(text);
    const answer = await stack.putManifest(NAME, digest, text, { query: '?tag=long' });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe(`/v2/${NAME}/manifests/${digest}`);
    expect(answer.headers.get('docker-content-digest')).toBe(digest);
    expect((await get(digest)).headers.get('docker-content-digest')).toBe(digest);
    expect((await get(sha256(text))).headers.get('docker-content-digest')).toBe(sha256(text));
    expect((await get('long')).headers.get('docker-content-digest')).toBe(digest);
    expect((await stack.call('DELETE', `/v2/${NAME}/manifests/${digest}`)).status).toBe(202);
    expect((await get(sha256(text))).status).toBe(404);
  });
});

describe('refused', () => {
  const valid = { config, layers: [layer], annotations: { of: 'refused' } };

  test.each<[string, string | object, string, string?]>([
    ['what is not JSON', 'nonsense', 'MANIFEST_INVALID', OCI_MANIFEST],
    ['a list', '[]', 'MANIFEST_INVALID', OCI_MANIFEST],
    ['nothing', '', 'MANIFEST_INVALID', OCI_MANIFEST],
    ['deep nesting', '['.repeat(200_000), 'MANIFEST_INVALID', OCI_MANIFEST],
    [
      'schema 1',
      { schemaVersion: 1, name: 'x', tag: 'y' },
      'MANIFEST_INVALID',
      'application/vnd.docker.distribution.manifest.v1+json',
    ],
    [
      'signed schema 1',
      { schemaVersion: 1 },
      'MANIFEST_INVALID',
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
    ],
    [
      'an artifact manifest, which was withdrawn',
      { schemaVersion: 2 },
      'MANIFEST_INVALID',
      'application/vnd.oci.artifact.manifest.v1+json',
    ],
    ['schema 3', { ...imageManifest(valid), schemaVersion: 3 }, 'MANIFEST_INVALID'],
    ['another media type than its header', imageManifest(valid), 'MANIFEST_INVALID', OCI_INDEX],
    ['an unknown media type', { schemaVersion: 2 }, 'MANIFEST_INVALID', 'text/plain'],
    ['no config', imageManifest({}), 'MANIFEST_INVALID'],
    ['a config that is a list', imageManifest({ config: [] }), 'MANIFEST_INVALID'],
    ['layers that are none', imageManifest({ config, layers: {} }), 'MANIFEST_INVALID'],
    [
      'a digest that is none',
      imageManifest({ config: { ...config, digest: 'sha256:x' } }),
      'MANIFEST_INVALID',
    ],
    ['a negative size', imageManifest({ config: { ...config, size: -1 } }), 'MANIFEST_INVALID'],
    ['a size without bounds', imageManifest({ config: { ...config, size: 1e300 } }), 'MANIFEST_INVALID'],
    ['annotations that are none', imageManifest({ ...valid, annotations: { a: 1 } }), 'MANIFEST_INVALID'],
    ['an image that is an index too', imageManifest({ ...valid, manifests: [] }), 'MANIFEST_INVALID'],
    [
      'a control character in a type',
      imageManifest({ ...valid, artifactType: 'a\u0000b' }),
      'MANIFEST_INVALID',
    ],
    ['a config that is not here', imageManifest({ config: absent }), 'MANIFEST_BLOB_UNKNOWN'],
    ['a layer that is not here', imageManifest({ config, layers: [layer, absent] }), 'MANIFEST_BLOB_UNKNOWN'],
    [
      'wrong data for what is not here',
      imageManifest({ config: { ...absent, data: 'e30=' } }),
      'MANIFEST_BLOB_UNKNOWN',
    ],
    [
      'an incomplete index',
      { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor('nobody', OCI_MANIFEST)] },
      'MANIFEST_BLOB_UNKNOWN',
    ],
  ])('%s', async (_case, manifest, code, type) => {
    const text = typeof manifest === 'string' ? manifest : JSON.stringify(manifest);
    const answer = await stack.putManifest(NAME, 'refused', text, type === undefined ? {} : { type });
    expect([answer.status, answer.codes()]).toEqual([400, [code]]);
    expect((await get('refused')).status).toBe(404);
    expect((await get(sha256(text))).status).toBe(404);
  });

  test('what is missing is listed', async () => {
    const answer = await stack.putManifest(
      NAME,
      'refused',
      imageManifest({ config, layers: [layer, absent, absent] }),
    );
    expect(answer.json().errors[0].detail).toEqual({ digests: [sha256('not here')] });
  });

  test('another digest than its content', async () => {
    for (const digest of [sha256('other'), sha512('other')]) {
      const answer = await stack.putManifest(NAME, digest, imageManifest(valid));
      expect([answer.status, answer.codes()]).toEqual([400, ['DIGEST_INVALID']]);
    }
  });

  test.each([
    ['.INVALID', 400, 'MANIFEST_INVALID'],
    ['a'.repeat(129), 400, 'MANIFEST_INVALID'],
    ['sha256:short', 400, 'DIGEST_INVALID'],
  ])('the reference %s', async (reference, status, code) => {
    const answer = await stack.putManifest(NAME, reference, imageManifest(valid));
    expect([answer.status, answer.codes()]).toEqual([status, [code]]);
  });

  test('more than the limit', async () => {
    const { url } = await stack.addGateway({ STOWAGE_LIMITS: 'manifestBytes=1000' });
    const body = JSON.stringify(imageManifest({ ...valid, annotations: { a: 'b'.repeat(1_000) } }));
    for (const one of [body, new Blob([body]).stream()]) {
      const answer = await stack.call('PUT', `/v2/${NAME}/manifests/large`, { url, body: one });
      expect([answer.status, answer.codes()]).toEqual([413, ['SIZE_INVALID']]);
    }
  });
});

test.each([
  ['missing', 404, 'MANIFEST_UNKNOWN'],
  ['.INVALID_MANIFEST_NAME', 404, 'MANIFEST_UNKNOWN'],
  [`sha256:${'0'.repeat(64)}`, 404, 'MANIFEST_UNKNOWN'],
  ['sha256:totallywrong', 400, 'DIGEST_INVALID'],
  ['md5:0123', 400, 'DIGEST_INVALID'],
])('the manifest %s', async (reference, status, code) => {
  for (const method of ['GET', 'DELETE']) {
    const answer = await get(reference, method);
    expect([answer.status, answer.codes()]).toEqual([status, [code]]);
  }
  const head = await get(reference, 'HEAD');
  expect([head.status, head.body.length]).toEqual([status, 0]);
});

test('manifests belong to their image', async () => {
  const { digest } = await stack.pushImage('apps/images/here', 'v1');
  await stack.pushImage('apps/images/there', 'v1');
  expect((await get(digest, 'GET', 'apps/images/there')).status).toBe(404);
  expect((await get(digest, 'GET', 'apps/images/nowhere')).codes()).toEqual(['NAME_UNKNOWN']);
});

test('what a client has is not sent again', async () => {
  const { digest } = await stack.pushImage(NAME, 'kept');
  const answer = await stack.call('GET', `/v2/${NAME}/manifests/kept`, {
    headers: { 'if-none-match': `"${digest}"` },
  });
  expect([answer.status, answer.body.length]).toEqual([304, 0]);
});

test('Accept neither converts nor refuses', async () => {
  const { text } = await stack.pushImage(NAME, 'asked');
  const answer = await stack.call('GET', `/v2/${NAME}/manifests/asked`, { headers: { accept: DOCKER } });
  expect([answer.status, answer.headers.get('content-type'), answer.body.toString()]).toEqual([
    200,
    OCI_MANIFEST,
    text,
  ]);
});

describe('tags', () => {
  test('a push by digest makes none, or those that it names', async () => {
    const text = JSON.stringify(imageManifest({ config, annotations: { of: 'tags' } }));
    const name = 'apps/images/tagged';
    await stack.pushBlob(name, CONFIG);
    await stack.putManifest(name, sha256(text), text);
    expect((await stack.call('GET', `/v2/${name}/tags/list`)).json()).toEqual({ name, tags: [] });
    const answer = await stack.putManifest(name, sha256(text), text, { query: '?tag=b&tag=a&tag=b' });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('oci-tag')).toBe('b, a');
    expect((await stack.call('GET', `/v2/${name}/tags/list`)).json()).toEqual({ name, tags: ['a', 'b'] });
    const bad = await stack.putManifest(name, sha256(text), text, { query: '?tag=.bad' });
    expect([bad.status, bad.codes()]).toEqual([400, ['MANIFEST_INVALID']]);
  });

  test('a tag moves, and the old manifest stays', async () => {
    const first = await stack.pushImage(NAME, 'moving', 'first');
    const second = await stack.pushImage(NAME, 'moving', 'second');
    expect((await get('moving')).body.toString()).toBe(second.text);
    expect((await get(first.digest)).body.toString()).toBe(first.text);
  });

  test('pushes of one tag at once end with one of them', async () => {
    const texts = Array.from({ length: 12 }, (_, n) =>
      JSON.stringify(imageManifest({ config, annotations: { n: `${n}` } })),
    );
    const answers = await Promise.all(texts.map((text) => stack.putManifest(NAME, 'race', text)));
    expect(answers.map((answer) => answer.status)).toEqual(texts.map(() => 201));
    expect(texts).toContain((await get('race')).body.toString());
    for (const text of texts) expect((await get(sha256(text))).status).toBe(200);
  });
});

describe('deleting', () => {
  const remove = (name: string, reference: string) =>
    stack.call('DELETE', `/v2/${name}/manifests/${reference}`);
  const tags = async (name: string) => (await stack.call('GET', `/v2/${name}/tags/list`)).json().tags;

  test('by tag only the tag goes', async () => {
    const name = 'apps/images/untagged';
    const { digest } = await stack.pushImage(name, 'v1', 'same');
    await stack.pushImage(name, 'v2', 'same');
    const answer = await remove(name, 'v1');
    expect([answer.status, answer.headers.get('content-length')]).toEqual([202, '0']);
    expect((await get('v1', 'GET', name)).codes()).toEqual(['MANIFEST_UNKNOWN']);
    expect((await get('v2', 'GET', name)).status).toBe(200);
    expect(await tags(name)).toEqual(['v2']);
    expect((await remove(name, 'v2')).status).toBe(202);
    expect(await tags(name)).toEqual([]);
    expect((await get(digest, 'GET', name)).status).toBe(200);
    expect((await remove(name, 'v2')).codes()).toEqual(['MANIFEST_UNKNOWN']);
  });

  test('by digest the manifest goes, with all its tags', async () => {
    const name = 'apps/images/removed';
    const { digest, layer: blob } = await stack.pushImage(name, 'v1', 'same');
    await stack.pushImage(name, 'v2', 'same');
    await stack.pushImage(name, 'v3', 'other');
    expect((await remove(name, digest)).status).toBe(202);
    for (const reference of ['v1', 'v2', digest]) {
      expect((await get(reference, 'HEAD', name)).status).toBe(404);
    }
    expect(await tags(name)).toEqual(['v3']);
    expect((await stack.call('HEAD', `/v2/${name}/blobs/${blob}`)).status).toBe(200);
    expect(
      (await stack.putManifest(name, 'v1', (await stack.pushImage(name, 'v1', 'same')).text)).status,
    ).toBe(201);
  });
});
