import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryStack, sha256 } from '../../../support/registry-stack.ts';
import { bkrepoCall, dataOf, failureOf } from './bkrepo-calls.ts';
import { HELLO_LAYER, HELLO_MANIFEST, pushHelloWorld } from './hello-world.ts';

let stack: RegistryStack;
let host: string;
const EXT_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/;
const API_DATE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z$/;

beforeAll(async () => {
  stack = await RegistryStack.start();
  host = new URL(stack.url).host;
  await pushHelloWorld(stack, 'apps/images/hello-world', ['v1', 'latest']);
  await stack.pushImage('apps/images/library/php', 'v1');
});
afterAll(() => stack.close());

const call = (method: string, path: string, options = {}) => bkrepoCall(stack, method, path, options);
const data = (method: string, path: string, options = {}) => dataOf(stack, method, path, options);
const failure = (method: string, path: string, options = {}) => failureOf(stack, method, path, options);

test('the hash of the vector', () => {
  expect(sha256(HELLO_MANIFEST)).toBe(
    'sha256:92c7f9c92844bbbb5d0a101b22f7c2a7949e40f8ea90c8b3bc396879d95e899a',
  );
});

describe('manifest', () => {
  test.each([
    '/docker/ext/manifest/apps/images/hello-world/v1',
    '/oci/ext/manifest/apps/images/hello-world/v1',
    '/docker/api/manifest/apps/images/hello-world/latest',
    `/docker/api/manifest/apps/images/hello-world/${sha256(HELLO_MANIFEST)}`,
  ])('%s', async (path) => {
    const { status, text, headers } = await call('GET', path);
    expect([status, headers.get('content-type')]).toEqual([200, 'application/json']);
    expect(text).toBe(`{"code":0,"message":null,"data":${JSON.stringify(HELLO_MANIFEST)},"traceId":""}`);
  });

  test.each([
    ['an unknown tag', 'hello-world/v9', '/hello-world/manifest/v9/manifest.json'],
    ['an unknown image', 'no/such/v9', '/no/such/manifest/v9/manifest.json'],
    ['what is no digest', 'hello-world/sha256:abc', '/hello-world/manifest/sha256:abc/manifest.json'],
  ])('%s', async (_what, rest, path) => {
    expect(await failure('GET', `/docker/ext/manifest/apps/images/${rest}`)).toEqual([
      404,
      251902,
      `Artifact [${path}] not found in repo [/apps/images] !`,
    ]);
  });
});

test('detail of the newer document', async () => {
  const detail = (await data(
    'GET',
    '/docker/ext/version/detail/apps/images?packageKey=docker%3A%2F%2Fhello-world&version=v1',
  )) as { basic: object };
  expect(detail).toEqual({
    basic: {
      domain: host,
      size: 2487,
      version: 'v1',
      createdBy: 'ada',
      createdDate: expect.stringMatching(EXT_DATE),
      lastModifiedBy: 'ada',
      lastModifiedDate: expect.stringMatching(EXT_DATE),
      downloadCount: 0,
      sha256: 'fce289e99eb9bca977dae136fbe2a82b6b7d4c372474c9235adc1741675f587e',
      os: 'linux',
      dockerDomain: host,
      stageTag: [],
      platform: ['linux/amd64'],
    },
    history: [
      {
        created: '2019-01-01T01:29:27.416803627Z',
        created_by:
          '/bin/sh -c #(nop) COPY file:f77490f70ce51da25bd21bfc30cb5e1a24b2b65eb37d4af0c327ddc24f0986a6 in / ',
      },
      {
        created: '2019-01-01T01:29:27.650294696Z',
        created_by: '/bin/sh -c #(nop)  CMD ["/hello"]',
      },
    ],
    metadata: {
      'docker.manifest': 'v1',
      sha256: '92c7f9c92844bbbb5d0a101b22f7c2a7949e40f8ea90c8b3bc396879d95e899a',
      'docker.repoName': 'hello-world',
      'docker.manifest.digest': 'sha256:92c7f9c92844bbbb5d0a101b22f7c2a7949e40f8ea90c8b3bc396879d95e899a',
      'docker.manifest.type': 'application/vnd.docker.distribution.manifest.v2+json',
    },
    layers: [
      { mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip', size: 977, digest: HELLO_LAYER },
    ],
  });
  expect(Object.keys(detail.basic)).toEqual([
    'domain',
    'size',
    'version',
    'createdBy',
    'createdDate',
    'lastModifiedBy',
    'lastModifiedDate',
    'downloadCount',
    'sha256',
    'os',
    'dockerDomain',
    'stageTag',
    'platform',
  ]);
});

test.each([
  ['latest', '/docker/api/tag/detail/apps/images/hello-world'],
  ['v1', '/docker/api/tag/detail/apps/images/hello-world?tag=v1'],
  ['v1', '/docker/api/tag/detail/apps/images/hello-world?version=v1'],
])('detail of the older document: %s at %s', async (tag, path) => {
  expect(await data('GET', path)).toEqual({
    basic: {
      size: 2487,
      sha256: 'fce289e99eb9bca977dae136fbe2a82b6b7d4c372474c9235adc1741675f587e',
      tag,
      os: 'linux',
      lastModifiedBy: 'ada',
      lastModifiedDate: expect.stringMatching(API_DATE),
      downloadCount: 0,
    },
    history: [
      '/bin/sh -c #(nop) COPY file:f77490f70ce51da25bd21bfc30cb5e1a24b2b65eb37d4af0c327ddc24f0986a6 in / ',
      '/bin/sh -c #(nop)  CMD ["/hello"]',
    ],
    metadata: {
      'docker.manifest': tag,
      sha256: '92c7f9c92844bbbb5d0a101b22f7c2a7949e40f8ea90c8b3bc396879d95e899a',
      'docker.repoName': 'hello-world',
      'docker.manifest.digest': 'sha256:92c7f9c92844bbbb5d0a101b22f7c2a7949e40f8ea90c8b3bc396879d95e899a',
      'docker.manifest.type': 'application/vnd.docker.distribution.manifest.v2+json',
    },
    layers: [{ id: HELLO_LAYER.replace(':', '__'), size: 977 }],
  });
});

test.each([
  ['/docker/ext/version/detail/apps/images?packageKey=docker://php&version=v9', 'docker://php/v9'],
  ['/docker/ext/version/detail/apps/images?packageKey=hello-world&version=v9', 'docker://hello-world/v9'],
  ['/docker/api/tag/detail/apps/images/hello-world?tag=v9', 'docker://hello-world/v9'],
  ['/docker/api/tag/detail/apps/images/php', 'docker://php/latest'],
])('no detail: %s', async (path, version) => {
  expect(await failure('GET', path)).toEqual([
    404,
    251906,
    `The version [${version}] of artifact not found in repo [apps|images] !`,
  ]);
});

describe('lists of images', () => {
  test('newer', async () => {
    const page = (await data('GET', '/docker/ext/repo/apps/images?pageNumber=0&pageSize=10')) as object;
    expect(page).toEqual({
      toatalRecords: 2,
      totalRecords: 2,
      records: ['hello-world', 'library/php'].map((name) => ({
        name,
        lastModifiedBy: 'ada',
        lastModifiedDate: expect.stringMatching(EXT_DATE),
        downloadCount: 0,
        logoUrl: '',
        description: '',
      })),
    });
  });

  test('older', async () => {
    expect(await data('GET', '/docker/api/repo/apps/images?pageNumber=1&pageSize=10')).toEqual(
      ['hello-world', 'library/php'].map((name) => ({
        name,
        createdBy: 'ada',
        downloadCount: 0,
        createdDate: expect.stringMatching(API_DATE),
      })),
    );
  });
});

describe('lists of tags', () => {
  test('newer', async () => {
    const path = '/docker/ext/tag/apps/images/hello-world?pageNumber=1&pageSize=10';
    expect(await data('GET', path)).toEqual({
      toatalRecords: 2,
      totalRecords: 2,
      records: ['latest', 'v1'].map((tag) => ({
        tag,
        stageTag: '',
        size: 2487,
        lastModifiedBy: 'ada',
        lastModifiedDate: expect.stringMatching(EXT_DATE),
        downloadCount: 0,
        registryUrl: `${host}/apps/images/hello-world:${tag}`,
      })),
    });
  });

  test('older', async () => {
    expect(await data('GET', '/docker/api/tag/apps/images/hello-world')).toEqual(
      ['latest', 'v1'].map((tag) => ({
        tag,
        status: '',
        size: 2487,
        downloadCount: 0,
        lastModifiedBy: 'ada',
        lastModifiedDate: expect.stringMatching(API_DATE),
      })),
    );
  });

  test.each(['library/php', 'library%2Fphp'])('a name with slashes: %s', async (name) => {
    expect(await data('GET', `/docker/ext/tag/apps/images/${name}?pageNumber=1&pageSize=1`)).toMatchObject({
      totalRecords: 1,
      records: [{ tag: 'v1', registryUrl: `${host}/apps/images/library/php:v1` }],
    });
  });
});

test.each(['/docker/ext/addr', '/oci/ext/addr'])('%s is for everybody', async (path) => {
  expect(await data('GET', path, { as: 'anonymous' })).toBe(host);
  expect(await data('GET', path, { as: 'anonymous', headers: { authorization: 'Basic !' } })).toBe(host);
});
