import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, RegistryStack, sha256, sha512 } from '../../support/registry-stack.ts';

let stack: RegistryStack;
const NAME = 'apps/images/uploads';

beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

async function begin(name = NAME): Promise<string> {
  const answer = await stack.call('POST', `/v2/${name}/blobs/uploads/`);
  expect(answer.status).toBe(202);
  return answer.headers.get('location')!;
}

const patch = (location: string, body: Uint8Array, range?: string): Promise<Answer> =>
  stack.call('PATCH', location, { body, headers: range === undefined ? {} : { 'content-range': range } });

const put = (location: string, digest: string, body?: Uint8Array, headers = {}): Promise<Answer> =>
  stack.call('PUT', `${location}?digest=${digest}`, { headers, ...(body && { body }) });

async function expectBlob(digest: string, bytes: Uint8Array, name = NAME): Promise<void> {
  const answer = await stack.call('GET', `/v2/${name}/blobs/${digest}`);
  expect(answer.status).toBe(200);
  expect(answer.body.equals(bytes)).toBe(true);
}

async function expectNoBlob(digest: string): Promise<void> {
  const answer = await stack.call('GET', `/v2/${NAME}/blobs/${digest}`);
  expect([answer.status, answer.codes()]).toEqual([404, ['BLOB_UNKNOWN']]);
}

/** A body of unknown length. */
const streamed = (...pieces: Uint8Array[]): ReadableStream =>
  Readable.toWeb(Readable.from(pieces)) as unknown as ReadableStream;

test.each(['/v2/apps/images/new/blobs/uploads/', '/v2/apps/images/new/blobs/uploads'])(
  'POST %s',
  async (path) => {
    const answer = await stack.call('POST', path);
    expect(answer.status).toBe(202);
    const id = answer.headers.get('docker-upload-uuid')!;
    expect(answer.headers.get('location')).toBe(`/v2/apps/images/new/blobs/uploads/${id}`);
    expect(answer.headers.get('range')).toBe('0-0');
    expect(answer.headers.get('content-length')).toBe('0');
    expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
    expect(answer.headers.has('oci-chunk-min-length')).toBe(false);
  },
);

test('the alias keeps its prefix in locations', async () => {
  const answer = await stack.call('POST', `/docker/v2/${NAME}/blobs/uploads/`);
  expect(answer.headers.get('location')).toMatch(/^\/docker\/v2\/apps\/images\/uploads\/blobs\/uploads\//);
  const digest = sha256('alias');
  const done = await stack.call('PUT', `${answer.headers.get('location')}?digest=${digest}`, {
    body: 'alias',
  });
  expect(done.headers.get('location')).toBe(`/docker/v2/${NAME}/blobs/${digest}`);
  expect((await stack.call('GET', done.headers.get('location')!)).body.toString()).toBe('alias');
});

/** Every way to upload, with a body that fits in memory and one that does not. */
const FORMS: [string, (bytes: Buffer, digest: string) => Promise<Answer>][] = [
  [
    'POST with a digest',
    (body, digest) => stack.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, { body }),
  ],
  [
    'POST with a digest, streamed',
    (bytes, digest) =>
      stack.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, { body: streamed(bytes) }),
  ],
  ['POST and PUT', async (bytes, digest) => await put(await begin(), digest, bytes)],
  [
    'POST and PUT, streamed',
    async (bytes, digest) =>
      await stack.call('PUT', `${await begin()}?digest=${digest}`, { body: streamed(bytes) }),
  ],
  [
    'one PATCH',
    async (bytes, digest) => {
      const answer = await patch(await begin(), bytes);
      expect(answer.status).toBe(202);
      return await put(answer.headers.get('location')!, digest);
    },
  ],
  [
    'a streamed PATCH',
    async (bytes, digest) => {
      const middle = Math.floor(bytes.length / 2);
      const body = streamed(bytes.subarray(0, middle), bytes.subarray(middle));
      const answer = await stack.call('PATCH', await begin(), { body });
      expect(answer.status).toBe(202);
      return await put(answer.headers.get('location')!, digest);
    },
  ],
  [
    'two chunks, the last with the PUT',
    async (bytes, digest) => {
      const middle = Math.floor(bytes.length / 2);
      const answer = await patch(await begin(), bytes.subarray(0, middle), `0-${middle - 1}`);
      expect(answer.headers.get('range')).toBe(`0-${middle - 1}`);
      const range = { 'content-range': `${middle}-${bytes.length - 1}` };
      return await put(answer.headers.get('location')!, digest, bytes.subarray(middle), range);
    },
  ],
  [
    'three chunks without ranges',
    async (bytes, digest) => {
      const third = Math.floor(bytes.length / 3);
      const location = await begin();
      for (const [from, to] of [
        [0, third],
        [third, 2 * third],
        [2 * third, bytes.length],
      ] as const) {
        const answer = await patch(location, bytes.subarray(from, to));
        expect(answer.headers.get('range')).toBe(`0-${to - 1}`);
      }
      return await put(location, digest);
    },
  ],
];

describe.each([
  ['small', 1_000],
  ['large', 1_500_000],
])('%s blobs', (_size, length) => {
  describe.each([
    ['sha256', sha256],
    ['sha512', sha512],
  ])('by %s', (_algorithm, digestOf) => {
    test.each(FORMS)('%s', async (_form, upload) => {
      const bytes = randomBytes(length);
      const digest = digestOf(bytes);
      const answer = await upload(bytes, digest);
      expect(answer.status).toBe(201);
      expect(answer.headers.get('location')).toBe(`/v2/${NAME}/blobs/${digest}`);
      expect(answer.headers.get('docker-content-digest')).toBe(digest);
      expect(answer.headers.get('content-length')).toBe('0');
      await expectBlob(digest, bytes);
      await expectBlob(sha256(bytes), bytes);
    });

    test.each(FORMS)('%s with a wrong digest leaves nothing', async (_form, upload) => {
      const bytes = randomBytes(length);
      const wrong = digestOf('something else');
      const answer = await upload(bytes, wrong);
      expect([answer.status, answer.codes()]).toEqual([400, ['DIGEST_INVALID']]);
      await expectNoBlob(wrong);
      await expectNoBlob(digestOf(bytes));
      expect(await readdir(join(stack.dataDir, 'blobs/uploads')).catch(() => [])).toEqual([]);
    });
  });
});

test.each(['', '{}'])('the blob %j works like any other', async (text) => {
  const bytes = Buffer.from(text);
  for (const digest of [sha256(bytes), sha512(bytes)]) {
    const single = await stack.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, { body: bytes });
    expect(single.status).toBe(201);
    await expectBlob(digest, bytes);
    expect((await put(await begin(), digest, bytes)).status).toBe(201);
    const location = await begin();
    expect((await patch(location, bytes)).status).toBe(202);
    expect((await put(location, digest)).status).toBe(201);
    await expectBlob(digest, bytes);
  }
});

test('a POST with the digest of something else and no body is refused', async () => {
  const digest = sha256('not nothing');
  const answer = await stack.call('POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`);
  expect([answer.status, answer.codes()]).toEqual([400, ['DIGEST_INVALID']]);
});

describe('wrong offsets', () => {
  const bytes = randomBytes(30);

  async function expectProgress(location: string, size: number): Promise<void> {
    const answer = await stack.call('GET', location);
    expect(answer.status).toBe(204);
    expect(answer.headers.get('range')).toBe(`0-${Math.max(0, size - 1)}`);
    expect(answer.headers.get('location')).toBe(location);
    expect(answer.headers.get('docker-upload-uuid')).toBe(location.split('/').at(-1));
  }

  test('the first chunk out of order', async () => {
    const location = await begin();
    const answer = await patch(location, bytes.subarray(10), '10-29');
    expect([answer.status, answer.codes()]).toEqual([416, ['BLOB_UPLOAD_INVALID']]);
    await expectProgress(location, 0);
    expect((await patch(location, bytes, '0-29')).status).toBe(202);
    expect((await put(location, sha256(bytes))).status).toBe(201);
  });

  test('the same chunk again', async () => {
    const location = await begin();
    expect((await patch(location, bytes.subarray(0, 10), '0-9')).status).toBe(202);
    expect((await patch(location, bytes.subarray(0, 10), '0-9')).status).toBe(416);
    await expectProgress(location, 10);
    expect((await patch(location, bytes.subarray(10), '10-29')).status).toBe(202);
    await expectProgress(location, 30);
    expect((await put(location, sha256(bytes))).status).toBe(201);
    await expectBlob(sha256(bytes), bytes);
  });

  test.each([
    ['a gap', '11-29', 19],
    ['an overlap', '9-29', 21],
    ['a longer range than the body', '10-29', 19],
    ['a shorter range than the body', '10-20', 20],
    ['a range that ends before it begins', '10-9', 20],
  ])('%s', async (_case, range, length) => {
    const location = await begin();
    await patch(location, bytes.subarray(0, 10), '0-9');
    for (const body of [bytes.subarray(0, length), streamed(bytes.subarray(0, length))]) {
      const answer = await stack.call('PATCH', location, { body, headers: { 'content-range': range } });
      expect([answer.status, answer.codes()]).toEqual([416, ['BLOB_UPLOAD_INVALID']]);
      expect([answer.headers.get('location'), answer.headers.get('range')]).toEqual([location, '0-9']);
      await expectProgress(location, 10);
    }
    const last = await put(location, sha256(bytes), bytes.subarray(0, length), { 'content-range': range });
    expect(last.status).toBe(416);
    await expectProgress(location, 10);
    expect((await put(location, sha256(bytes), bytes.subarray(10))).status).toBe(201);
    await expectBlob(sha256(bytes), bytes);
  });

  test('a Content-Range that is none', async () => {
    const answer = await patch(await begin(), bytes, 'everything');
    expect([answer.status, answer.codes()]).toEqual([400, ['BLOB_UPLOAD_INVALID']]);
  });
});

test('an upload can be cancelled', async () => {
  const location = await begin();
  await patch(location, randomBytes(400_000));
  expect((await stack.call('DELETE', location)).status).toBe(204);
  for (const method of ['GET', 'DELETE', 'PATCH', 'PUT']) {
    const path = method === 'PUT' ? `${location}?digest=${sha256('')}` : location;
    const answer = await stack.call(method, path);
    expect([answer.status, answer.codes()]).toEqual([404, ['BLOB_UPLOAD_UNKNOWN']]);
  }
});

test.each(['no-such-id', '00000000-0000-4000-8000-000000000000', '%00', 'A'.repeat(500)])(
  'the upload %s is not known',
  async (id) => {
    const answer = await stack.call('GET', `/v2/${NAME}/blobs/uploads/${id}`);
    expect([answer.status, answer.codes()]).toEqual([404, ['BLOB_UPLOAD_UNKNOWN']]);
  },
);

test('an upload belongs to its image', async () => {
  const location = await begin();
  await begin('apps/images/other');
  const elsewhere = location.replace('images/uploads', 'images/other');
  expect((await stack.call('GET', elsewhere)).codes()).toEqual(['BLOB_UPLOAD_UNKNOWN']);
});

test('a finished upload is not known any more', async () => {
  const location = await begin();
  expect((await put(location, sha256('x'), Buffer.from('x'))).status).toBe(201);
  expect((await stack.call('GET', location)).codes()).toEqual(['BLOB_UPLOAD_UNKNOWN']);
});

test.each(['', '?digest=', '?digest=sha256:totallywrong', '?digest=md5:abc'])(
  'PUT with %j',
  async (query) => {
    const location = await begin();
    const answer = await stack.call('PUT', `${location}${query}`, { body: 'x' });
    expect([answer.status, answer.codes()]).toEqual([400, ['DIGEST_INVALID']]);
    expect((await put(location, sha256('x'), Buffer.from('x'))).status).toBe(201);
  },
);

test('two uploads of the same blob at once both succeed', async () => {
  const bytes = randomBytes(2_000_000);
  const digest = sha256(bytes);
  const answers = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (name) => await put(await begin(`apps/images/${name}`), digest, bytes)),
  );
  expect(answers.map((answer) => answer.status)).toEqual([201, 201, 201, 201]);
  for (const name of ['a', 'b', 'c', 'd']) await expectBlob(digest, bytes, `apps/images/${name}`);
});

test('blobs above the limit are refused, and said to be', async () => {
  const { url } = await stack.addGateway({ STOWAGE_REGISTRY_BLOB_BYTES: '1000' });
  const bytes = randomBytes(1_001);
  const digest = sha256(bytes);
  const location = (await stack.call('POST', `/v2/${NAME}/blobs/uploads/`, { url })).headers.get('location')!;
  for (const [method, path, body] of [
    ['POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, bytes],
    ['POST', `/v2/${NAME}/blobs/uploads/?digest=${digest}`, streamed(bytes)],
    ['PATCH', location, bytes],
    ['PATCH', location, streamed(bytes)],
    ['PUT', `${location}?digest=${digest}`, bytes],
  ] as const) {
    const answer = await stack.call(method, path, { url, body });
    expect([answer.status, answer.codes()]).toEqual([413, ['SIZE_INVALID']]);
  }
  await expectNoBlob(digest);
});
