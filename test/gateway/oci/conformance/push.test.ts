import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Answer,
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  sha256,
  sha512,
} from '../../../support/registry-stack.ts';
import { SETUPS, SuiteClient } from './suite-client.ts';

/** Sends a blob in its own way; the last answer is the one about the blob. */
type Upload = (client: SuiteClient, bytes: Buffer, digest: string) => Promise<Answer>;

const UPLOADS: [string, Upload][] = [
  ['POST with digest', (client, bytes, digest) => client.blob(bytes, digest)],
  ['POST, PUT', async (client, bytes, digest) => await put(client, await begin(client), digest, bytes)],
  [
    'POST, streamed PATCH, PUT',
    async (client, bytes, digest) => {
      const body = new Blob([new Uint8Array(bytes)]).stream();
      const answer = await client.call('PATCH', await begin(client), { body });
      return await put(client, answer.headers.get('location')!, digest);
    },
  ],
  [
    'POST, one chunk, PUT',
    async (client, bytes, digest) => {
      const location = await chunk(client, await begin(client), bytes, 0);
      return await put(client, location, digest);
    },
  ],
  [
    'POST, chunks, PUT',
    async (client, bytes, digest) => {
      const third = Math.ceil(bytes.length / 3);
      let location = await begin(client);
      for (let at = 0; at < bytes.length; at += third) {
        location = await chunk(client, location, bytes.subarray(at, at + third), at);
      }
      return await put(client, location, digest);
    },
  ],
  [
    'POST, chunk, PUT with the last chunk',
    async (client, bytes, digest) => {
      const half = Math.ceil(bytes.length / 2);
      const location = await chunk(client, await begin(client), bytes.subarray(0, half), 0);
      return await put(client, location, digest, bytes.subarray(half), half);
    },
  ],
];

async function begin(client: SuiteClient, query = ''): Promise<string> {
  const answer = await client.call('POST', client.at(`blobs/uploads/${query}`));
  expect(answer.status).toBe(202);
  const location = answer.headers.get('location')!;
  expect(location.startsWith(client.at('blobs/uploads/'))).toBe(true);
  return location;
}

async function chunk(client: SuiteClient, location: string, bytes: Buffer, first: number): Promise<string> {
  const last = first + bytes.length - 1;
  const answer = await client.call('PATCH', location, {
    body: bytes,
    headers: { 'content-range': `${first}-${last}` },
  });
  expect([answer.status, answer.headers.get('range')]).toEqual([202, `0-${last}`]);
  const next = answer.headers.get('location')!;
  const status = await client.call('GET', next);
  expect([status.status, status.headers.get('range')]).toEqual([204, `0-${last}`]);
  expect(status.headers.get('location')).not.toBe(null);
  return next;
}

async function put(
  client: SuiteClient,
  location: string,
  digest: string,
  body?: Buffer,
  first?: number,
): Promise<Answer> {
  const url = new URL(location, 'http://registry.example');
  url.searchParams.set('digest', digest);
  return await client.call('PUT', url.pathname + url.search, {
    ...(body && { body }),
    ...(first !== undefined && {
      headers: { 'content-range': `${first}-${first + body!.length - 1}` },
    }),
  });
}

describe.each(SETUPS)('push, $title', (setup) => {
  let client: SuiteClient;

  beforeAll(async () => {
    client = await SuiteClient.start(setup);
  });
  afterAll(() => client.close());

  describe.each([
    ['sha256', sha256],
    ['sha512', sha512],
  ] as const)('%s', (_algorithm, digestOf) => {
    test.each(UPLOADS)('%s', async (_how, upload) => {
      const bytes = randomBytes(900);
      const digest = digestOf(bytes);
      const answer = await upload(client, bytes, digest);
      expect(answer.status).toBe(201);
      expect(answer.headers.get('docker-content-digest')).toBe(digest);
      expect(answer.headers.get('location')).toBe(client.at(`blobs/${digest}`));
      const read = await client.call('GET', answer.headers.get('location')!);
      expect(read.body.equals(bytes)).toBe(true);
    });

    test.each(UPLOADS)('%s, with the digest of something else', async (_how, upload) => {
      const wrong = digestOf(randomBytes(10));
      const answer = await upload(client, randomBytes(900), wrong);
      expect([answer.status, answer.codes()]).toEqual([400, ['DIGEST_INVALID']]);
      expect((await client.call('GET', client.at(`blobs/${wrong}`))).status).toBe(404);
    });
  });

  test('chunks out of order; the upload goes on, from its first location too', async () => {
    const bytes = randomBytes(900);
    const first = await begin(client);
    const refuse = async (location: string, part: Buffer, at: number, received: string) => {
      const answer = await client.call('PATCH', location, {
        body: part,
        headers: { 'content-range': `${at}-${at + part.length - 1}` },
      });
      expect(answer.status).toBe(416);
      const status = await client.call('GET', location);
      expect([status.status, status.headers.get('range')]).toEqual([204, received]);
    };
    await refuse(first, bytes.subarray(300), 300, '0-0');
    const second = await chunk(client, first, bytes.subarray(0, 300), 0);
    await refuse(first, bytes.subarray(0, 300), 0, '0-299');
    await refuse(second, bytes.subarray(600), 600, '0-299');
    await chunk(client, first, bytes.subarray(300), 300);
    expect((await put(client, first, sha256(bytes))).status).toBe(201);
  });

  test('an upload is cancelled', async () => {
    const location = await begin(client);
    expect((await client.call('DELETE', location)).status).toBe(204);
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      expect((await client.call(method, location)).codes()).toEqual(['BLOB_UPLOAD_UNKNOWN']);
    }
  });

  test.each(['&from', ''])('a mount%s, and the deletion of what was mounted', async (from) => {
    const bytes = randomBytes(900);
    const digest = sha256(bytes);
    expect((await client.blob(bytes, digest, setup.otherName)).status).toBe(201);
    const source = from && `${from}=${encodeURIComponent(setup.otherName)}`;
    const answer = await client.call('POST', client.at(`blobs/uploads/?mount=${digest}${source}`));
    expect([answer.status, answer.headers.get('location')]).toEqual([201, client.at(`blobs/${digest}`)]);
    expect((await client.call('DELETE', client.at(`blobs/${digest}`))).status).toBe(202);
    expect((await client.call('HEAD', client.at(`blobs/${digest}`))).status).toBe(404);
    expect((await client.call('HEAD', client.at(`blobs/${digest}`, setup.otherName))).status).toBe(200);
  });

  test('what cannot be mounted is uploaded', async () => {
    const bytes = randomBytes(900);
    const query = `?mount=${sha256(bytes)}&from=${encodeURIComponent(setup.otherName)}`;
    expect((await put(client, await begin(client, query), sha256(bytes), bytes)).status).toBe(201);
  });

  test.each([
    ['sha256', sha256],
    ['sha512', sha512],
  ])('a manifest by %s, with tags', async (_algorithm, digestOf) => {
    const config = randomBytes(30).toString('hex');
    await client.blob(config, sha256(config));
    const text = JSON.stringify(imageManifest({ config: descriptor(config, OCI_CONFIG) }));
    const digest = digestOf(text);
    const answer = await client.manifest(digest, text, '?tag=one&tag=two');
    expect([answer.status, answer.headers.get('docker-content-digest')]).toEqual([201, digest]);
    expect(answer.headers.get('oci-tag')).toBe('one, two');
    expect(answer.headers.get('location')).toBe(client.at(`manifests/${digest}`));
    for (const tag of ['one', 'two']) {
      const read = await client.call('GET', client.at(`manifests/${tag}`));
      expect([read.body.toString(), read.headers.get('docker-content-digest')]).toEqual([text, digest]);
    }
  });

  test.each<[string, object, number, string[]]>([
    [
      'a layer that is not there',
      imageManifest({ layers: [descriptor('?', OCI_LAYER)] }),
      400,
      ['MANIFEST_BLOB_UNKNOWN'],
    ],
    ['an index of what is not there', index([descriptor('?', OCI_INDEX)]), 400, ['MANIFEST_BLOB_UNKNOWN']],
    ['schema 3', { ...index([]), schemaVersion: 3 }, 400, ['MANIFEST_INVALID']],
  ])('%s is refused', async (_what, document, status, codes) => {
    await client.blob('{}', sha256('{}'));
    const whole = 'manifests' in document ? document : { ...document, config: descriptor('{}', OCI_CONFIG) };
    const answer = await client.manifest('refused', JSON.stringify(whole));
    expect([answer.status, answer.codes()]).toEqual([status, codes]);
    expect((await client.call('GET', client.at('manifests/refused'))).status).toBe(404);
  });
});

function index(manifests: object[]): object {
  return { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
}
