import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_LAYER,
  sha256,
  sha512,
} from '../../../support/registry-stack.ts';
import { SETUPS, SuiteClient } from './suite-client.ts';

const LAYER = randomBytes(3_000);
const CONFIG = '{"os":"linux","architecture":"amd64","of":"pull"}';
const MANIFEST = JSON.stringify(
  imageManifest({ config: descriptor(CONFIG, OCI_CONFIG), layers: [descriptor(LAYER, OCI_LAYER)] }),
);
const DIGEST = sha256(MANIFEST);
const UNKNOWN = sha256('not there');

describe.each(SETUPS)('pull, $title', (setup) => {
  let client: SuiteClient;

  beforeAll(async () => {
    client = await SuiteClient.start(setup);
    for (const bytes of [LAYER, CONFIG, '', '{}']) {
      for (const digest of [sha256(bytes), sha512(bytes)]) {
        expect((await client.blob(bytes, digest)).status).toBe(201);
      }
    }
    expect((await client.manifest('v1', MANIFEST)).status).toBe(201);
    expect((await client.manifest(sha512(MANIFEST), MANIFEST)).status).toBe(201);
  });
  afterAll(() => client.close());

  test('the registry says that it is one', async () => {
    const answer = await client.call('GET', `${setup.prefix}/`);
    expect([answer.status, answer.json()]).toEqual([200, {}]);
    expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
  });

  test.each<[string, string, string, string]>([
    ['a blob', `blobs/${UNKNOWN}`, 'BLOB_UNKNOWN', '404'],
    ['a blob by sha512', `blobs/${sha512('not there')}`, 'BLOB_UNKNOWN', '404'],
    ['a manifest', `manifests/${UNKNOWN}`, 'MANIFEST_UNKNOWN', '404'],
    ['a manifest by sha512', `manifests/${sha512('not there')}`, 'MANIFEST_UNKNOWN', '404'],
    ['a tag', 'manifests/not-there', 'MANIFEST_UNKNOWN', '404'],
    ['what is no tag', 'manifests/.INVALID_MANIFEST_NAME', 'MANIFEST_UNKNOWN', '404'],
    ['a manifest by a digest that is none', 'manifests/sha256:totallywrong', 'DIGEST_INVALID', '400'],
    ['a blob by a digest that is none', 'blobs/sha256:totallywrong', 'DIGEST_INVALID', '400'],
  ])('%s that is not there', async (_what, path, code, status) => {
    const answer = await client.call('GET', client.at(path));
    expect([String(answer.status), answer.codes()]).toEqual([status, [code]]);
    const head = await client.call('HEAD', client.at(path));
    expect([String(head.status), head.body.length]).toEqual([status, 0]);
  });

  test.each<[string, string, Buffer, string, string]>(
    [LAYER, Buffer.from(CONFIG), Buffer.from(''), Buffer.from('{}')].flatMap((bytes) =>
      [sha256(bytes), sha512(bytes)].map((digest): [string, string, Buffer, string, string] => [
        `a blob of ${bytes.length} bytes, ${digest.slice(0, 6)}`,
        `blobs/${digest}`,
        bytes,
        digest,
        'application/octet-stream',
      ]),
    ),
  )('%s', async (_what, path, bytes, digest, type) => {
    await expectContent(path, bytes, digest, type);
  });

  test.each([
    ['its tag', 'v1', sha512(MANIFEST)],
    ['its digest', DIGEST, DIGEST],
    ['its other digest', sha512(MANIFEST), sha512(MANIFEST)],
  ])('a manifest by %s', async (_how, reference, digest) => {
    const { mediaType } = JSON.parse(MANIFEST);
    await expectContent(`manifests/${reference}`, Buffer.from(MANIFEST), digest, mediaType);
  });

  async function expectContent(path: string, bytes: Buffer, digest: string, type: string): Promise<void> {
    const [head, got] = await Promise.all(
      ['HEAD', 'GET'].map((method) => client.call(method, client.at(path))),
    );
    for (const answer of [head!, got!]) {
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-length')).toBe(String(bytes.length));
      expect(answer.headers.get('docker-content-digest')).toBe(digest);
      expect(answer.headers.get('content-type')).toBe(type);
    }
    expect(head!.body.length).toBe(0);
    expect(got!.body.equals(bytes)).toBe(true);
  }

  test.each([
    ['bytes=0-99', 0, 100],
    ['bytes=1000-', 1_000, 3_000],
    ['bytes=-10', 2_990, 3_000],
    ['bytes=2999-5000', 2_999, 3_000],
  ])('a part of a blob: %s', async (range, start, end) => {
    const answer = await client.call('GET', client.at(`blobs/${sha256(LAYER)}`), { headers: { range } });
    expect(answer.status).toBe(206);
    expect(answer.headers.get('content-range')).toBe(`bytes ${start}-${end - 1}/3000`);
    expect(answer.body.equals(LAYER.subarray(start, end))).toBe(true);
  });

  test.each(['bytes=3000-', 'bytes=10-5'])('a part that is none: %s', async (range) => {
    const answer = await client.call('GET', client.at(`blobs/${sha256(LAYER)}`), { headers: { range } });
    expect([answer.status, answer.headers.get('content-range')]).toEqual([416, 'bytes */3000']);
  });
});
