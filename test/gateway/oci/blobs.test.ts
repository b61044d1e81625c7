import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_LAYER,
  RegistryStack,
  sha256,
  sha512,
  type User,
} from '../../support/registry-stack.ts';

let stack: RegistryStack;
const NAME = 'apps/images/blobs';
const BYTES = randomBytes(2_000);
const DIGEST = sha256(BYTES);

beforeAll(async () => {
  stack = await RegistryStack.start();
  await stack.pushBlob(NAME, BYTES);
});
afterAll(() => stack.close());

const get = (headers: Record<string, string> = {}, method = 'GET', name = NAME) =>
  stack.call(method, `/v2/${name}/blobs/${DIGEST}`, { headers });

test('GET and HEAD have the same headers', async () => {
  const expected = {
    'content-length': '2000',
    'content-type': 'application/octet-stream',
    'docker-content-digest': DIGEST,
    'docker-distribution-api-version': 'registry/2.0',
    etag: `"${DIGEST}"`,
    'accept-ranges': 'bytes',
    'cache-control': 'max-age=31536000',
  };
  const whole = await get();
  expect(whole.status).toBe(200);
  expect(Object.fromEntries(whole.headers)).toMatchObject(expected);
  expect(whole.body.equals(BYTES)).toBe(true);
  const head = await get({}, 'HEAD');
  expect(head.status).toBe(200);
  expect(Object.fromEntries(head.headers)).toMatchObject(expected);
  expect(head.body.length).toBe(0);
});

test('a large blob comes whole, and in parts', async () => {
  const bytes = randomBytes(3_000_000);
  const path = `/v2/${NAME}/blobs/${await stack.pushBlob(NAME, bytes)}`;
  expect((await stack.call('GET', path)).body.equals(bytes)).toBe(true);
  const part = await stack.call('GET', path, { headers: { range: 'bytes=100000-2900000' } });
  expect(part.status).toBe(206);
  expect(part.body.equals(bytes.subarray(100_000, 2_900_001))).toBe(true);
});

test.each([
  ['bytes=500-1499', 206, 500, 1500],
  ['bytes=500-', 206, 500, 2000],
  ['bytes=-500', 206, 1500, 2000],
  ['bytes=-5000', 206, 0, 2000],
  ['bytes=1900-99999', 206, 1900, 2000],
  ['bytes=0-0', 206, 0, 1],
  ['bytes=0-1,5-6', 200, 0, 2000],
  ['lines=1-2', 200, 0, 2000],
  ['bytes=nonsense', 200, 0, 2000],
] as const)('%s', async (range, status, start, end) => {
  const answer = await get({ range });
  expect(answer.status).toBe(status);
  expect(answer.headers.get('content-length')).toBe(String(end - start));
  expect(answer.headers.get('content-range')).toBe(status === 206 ? `bytes ${start}-${end - 1}/2000` : null);
  expect(answer.headers.get('docker-content-digest')).toBe(DIGEST);
  expect(answer.body.equals(BYTES.subarray(start, end))).toBe(true);
});

test.each(['bytes=500-0', 'bytes=2000-', 'bytes=5000-6000', 'bytes=-0'])('%s lies nowhere', async (range) => {
  const answer = await get({ range });
  expect(answer.status).toBe(416);
  expect(answer.headers.get('content-range')).toBe('bytes */2000');
  expect(answer.headers.get('docker-content-digest')).toBe(DIGEST);
});

test('conditions', async () => {
  const etag = `"${DIGEST}"`;
  const unchanged = await get({ 'if-none-match': etag });
  expect([unchanged.status, unchanged.body.length]).toEqual([304, 0]);
  expect((await get({ 'if-none-match': '"other"' })).status).toBe(200);
  expect((await get({ range: 'bytes=0-9', 'if-range': etag })).status).toBe(206);
  expect((await get({ range: 'bytes=0-9', 'if-range': '"other"' })).status).toBe(200);
  expect((await get({ range: 'bytes=9-0', 'if-range': '"other"' })).status).toBe(200);
});

test.each([
  ['sha256:totallywrong', 400, 'DIGEST_INVALID'],
  ['sha256:baddigeststring', 400, 'DIGEST_INVALID'],
  [`sha384:${'a'.repeat(96)}`, 400, 'DIGEST_INVALID'],
  [`sha256:${'A'.repeat(64)}`, 400, 'DIGEST_INVALID'],
  [`sha256:${'a'.repeat(64)}`, 404, 'BLOB_UNKNOWN'],
  [`sha512:${'a'.repeat(128)}`, 404, 'BLOB_UNKNOWN'],
])('%s', async (digest, status, code) => {
  for (const method of ['GET', 'DELETE']) {
    const answer = await stack.call(method, `/v2/${NAME}/blobs/${digest}`);
    expect([answer.status, answer.codes()]).toEqual([status, [code]]);
  }
  const head = await stack.call('HEAD', `/v2/${NAME}/blobs/${digest}`);
  expect([head.status, head.body.length]).toEqual([status, 0]);
});

test('an encoded colon is one', async () => {
  const answer = await stack.call('GET', `/v2/${NAME}/blobs/${DIGEST.replace(':', '%3A')}`);
  expect(answer.status).toBe(200);
});

test('a blob is in the images to which it was pushed, and in no others', async () => {
  await stack.pushBlob('apps/images/neighbour', 'something');
  const answer = await get({}, 'GET', 'apps/images/neighbour');
  expect([answer.status, answer.codes()]).toEqual([404, ['BLOB_UNKNOWN']]);
  expect((await get({}, 'GET', 'apps/images/nowhere')).codes()).toEqual(['NAME_UNKNOWN']);
});

test('the layer without content is there without being pushed', async () => {
  const digest = 'sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4';
  const answer = await stack.call('GET', `/v2/${NAME}/blobs/${digest}`);
  expect([answer.status, sha256(answer.body)]).toEqual([200, digest]);
  const config = '{"old":"client"}';
  await stack.pushBlob(NAME, config);
  const manifest = imageManifest({
    config: descriptor(config, OCI_CONFIG),
    layers: [descriptor(answer.body, OCI_LAYER)],
  });
  expect((await stack.putManifest(NAME, 'old', manifest)).status).toBe(201);
});

describe('mounting', () => {
  const mount = (to: string, digest: string, from?: string, as: User = 'ada') =>
    stack.call(
      'POST',
      `/v2/${to}/blobs/uploads/?mount=${digest}${from === undefined ? '' : `&from=${from}`}`,
      { as },
    );

  beforeAll(async () => {
    await stack.pushBlob('secret/images/source', 'a secret', 'admin');
  });

  test.each([NAME, 'apps/blobs', undefined, ''])('from %s', async (from) => {
    const to = `apps/images/mounted-${from?.length ?? 'x'}`;
    const answer = await mount(to, DIGEST, from);
    expect(answer.status).toBe(201);
    expect(answer.headers.get('location')).toBe(`/v2/${to}/blobs/${DIGEST}`);
    expect(answer.headers.get('docker-content-digest')).toBe(DIGEST);
    expect((await get({}, 'GET', to)).body.equals(BYTES)).toBe(true);
  });

  test('by its other name', async () => {
    const bytes = Buffer.from('under two names');
    const digest = sha512(bytes);
    await stack.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, { body: bytes });
    expect((await mount('apps/images/other-name', digest, NAME)).status).toBe(201);
    const answer = await stack.call('GET', `/v2/apps/images/other-name/blobs/${digest}`);
    expect([answer.body.toString(), answer.headers.get('docker-content-digest')]).toEqual([
      'under two names',
      digest,
    ]);
  });

  test.each([
    ['an unknown blob', sha256('unknown'), NAME],
    ['an image that does not have it', DIGEST, 'apps/images/uploads-elsewhere'],
    ['an unknown repository', DIGEST, 'no/such/place'],
    ['a name that cannot be', DIGEST, 'Not/A/Name'],
    ['an image that must not be read', sha256('a secret'), 'secret/images/source'],
    ['nowhere, where it must not be read', sha256('a secret'), undefined],
    ['a digest that is none', 'sha256:short', NAME],
  ])('%s: an upload is opened', async (_case, digest, from) => {
    const answer = await mount('apps/images/not-mounted', digest, from);
    expect(answer.status).toBe(202);
    const location = answer.headers.get('location')!;
    expect(location).toMatch(/^\/v2\/apps\/images\/not-mounted\/blobs\/uploads\/[0-9a-f-]{36}$/);
    const done = await stack.call('PUT', `${location}?digest=${sha256('x')}`, { body: 'x' });
    expect(done.status).toBe(201);
  });

  test('what must not be read can be mounted by those who may', async () => {
    expect(
      (await mount('apps/images/by-admin', sha256('a secret'), 'secret/images/source', 'admin')).status,
    ).toBe(201);
  });
});

describe('deleting', () => {
  const remove = (name: string, digest: string) => stack.call('DELETE', `/v2/${name}/blobs/${digest}`);

  test('the blob is gone here and stays elsewhere', async () => {
    const digest = await stack.pushBlob('apps/images/one', 'in two places');
    await stack.pushBlob('apps/images/two', 'in two places');
    const answer = await remove('apps/images/one', digest);
    expect([answer.status, answer.headers.get('content-length')]).toEqual([202, '0']);
    for (const method of ['HEAD', 'GET', 'DELETE']) {
      expect((await stack.call(method, `/v2/apps/images/one/blobs/${digest}`)).status).toBe(404);
    }
    expect((await stack.call('GET', `/v2/apps/images/two/blobs/${digest}`)).status).toBe(200);
  });

  test('a mounted blob is gone as well', async () => {
    const digest = await stack.pushBlob('apps/images/one', 'to be mounted');
    await stack.call('POST', `/v2/apps/images/three/blobs/uploads/?mount=${digest}&from=apps/images/one`);
    expect((await remove('apps/images/three', digest)).status).toBe(202);
    expect((await stack.call('HEAD', `/v2/apps/images/three/blobs/${digest}`)).status).toBe(404);
    expect((await stack.call('HEAD', `/v2/apps/images/one/blobs/${digest}`)).status).toBe(200);
  });

  test('the config of an image can be deleted and pushed again', async () => {
    const { config } = await stack.pushImage('apps/images/four', 'v1');
    expect((await remove('apps/images/four', config)).status).toBe(202);
    expect((await stack.call('HEAD', `/v2/apps/images/four/blobs/${config}`)).status).toBe(404);
    await stack.pushImage('apps/images/four', 'v1');
    expect((await stack.call('HEAD', `/v2/apps/images/four/blobs/${config}`)).status).toBe(200);
  });
});
