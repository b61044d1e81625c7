import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { descriptor, imageManifest, OCI_CONFIG, OCI_LAYER, sha256 } from '../../../support/registry-stack.ts';
import { SETUPS, SuiteClient } from './suite-client.ts';

const LAYER = 'a layer that all workflows share';
const CONFIG = '{"os":"linux","architecture":"amd64","of":"management"}';
const MANIFEST = JSON.stringify(
  imageManifest({ config: descriptor(CONFIG, OCI_CONFIG), layers: [descriptor(LAYER, OCI_LAYER)] }),
);
const DIGEST = sha256(MANIFEST);

describe.each(SETUPS)('content management, $title', (setup) => {
  let client: SuiteClient;

  beforeAll(async () => {
    client = await SuiteClient.start(setup);
  });
  afterAll(() => client.close());

  // Whatever the test before has deleted can be pushed again.
  beforeEach(async () => {
    for (const bytes of [LAYER, CONFIG]) {
      for (const name of [setup.name, setup.otherName]) {
        expect((await client.blob(bytes, sha256(bytes), name)).status).toBe(201);
      }
    }
    for (const tag of ['one', 'two', 'three'])
      expect((await client.manifest(tag, MANIFEST)).status).toBe(201);
    const other = JSON.stringify({ ...JSON.parse(MANIFEST), annotations: { other: 'one' } });
    expect((await client.manifest('other', other)).status).toBe(201);
  });

  const remove = async (path: string): Promise<void> => {
    expect((await client.call('DELETE', client.at(path))).status).toBe(202);
    for (const method of ['HEAD', 'GET', 'DELETE']) {
      expect((await client.call(method, client.at(path))).status).toBe(404);
    }
  };
  const statusOf = async (path: string, name = setup.name) =>
    (await client.call('GET', client.at(path, name))).status;
  const tags = async () => (await client.call('GET', client.at('tags/list'))).json().tags;

  test('by tag only the tag goes', async () => {
    await remove('manifests/two');
    expect(await tags()).toEqual(['one', 'other', 'three']);
    expect(await statusOf('manifests/one')).toBe(200);
    for (const tag of ['one', 'three']) await remove(`manifests/${tag}`);
    expect(await statusOf(`manifests/${DIGEST}`)).toBe(200);
  });

  test('by digest the manifest goes, with its tags', async () => {
    await remove(`manifests/${DIGEST}`);
    expect(await tags()).toEqual(['other']);
    for (const tag of ['one', 'two', 'three']) expect(await statusOf(`manifests/${tag}`)).toBe(404);
    for (const bytes of [LAYER, CONFIG]) expect(await statusOf(`blobs/${sha256(bytes)}`)).toBe(200);
  });

  test.each([
    ['before their manifest', [LAYER, CONFIG], true],
    ['after their manifest', [CONFIG, LAYER], false],
  ])('blobs, %s: they stay elsewhere', async (_when, blobs, isFirst) => {
    if (!isFirst) await remove(`manifests/${DIGEST}`);
    for (const bytes of blobs) {
      await remove(`blobs/${sha256(bytes)}`);
      expect(await statusOf(`blobs/${sha256(bytes)}`, setup.otherName)).toBe(200);
    }
    if (!isFirst) return;
    expect(await statusOf(`manifests/${DIGEST}`)).toBe(200);
    await remove(`manifests/${DIGEST}`);
  });

  test('the last tag', async () => {
    for (const tag of await tags()) await remove(`manifests/${tag}`);
    expect(await tags()).toEqual([]);
  });

  test('what refers to a manifest goes by itself', async () => {
    const text = JSON.stringify({
      ...JSON.parse(MANIFEST),
      artifactType: 'application/vnd.example',
      subject: { ...descriptor(MANIFEST, JSON.parse(MANIFEST).mediaType) },
    });
    const referrers = async () =>
      (await client.call('GET', client.at(`referrers/${DIGEST}`))).json().manifests.length;
    expect((await client.manifest('referrer', text)).status).toBe(201);
    await remove(`manifests/${DIGEST}`);
    expect(await referrers()).toBe(1);
    await remove(`manifests/${sha256(text)}`);
    expect(await referrers()).toBe(0);
  });

  test('what was never there', async () => {
    for (const [path, code] of [
      [`manifests/${sha256('never')}`, 'MANIFEST_UNKNOWN'],
      ['manifests/never', 'MANIFEST_UNKNOWN'],
      [`blobs/${sha256('never')}`, 'BLOB_UNKNOWN'],
    ] as const) {
      const answer = await client.call('DELETE', client.at(path));
      expect([answer.status, answer.codes()]).toEqual([404, [code]]);
    }
  });
});
