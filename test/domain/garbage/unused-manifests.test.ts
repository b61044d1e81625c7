import { afterAll, beforeAll, expect, test } from 'vitest';
import { age, collect, isStored } from '../../support/aged-registry.ts';
import {
  descriptor,
  imageManifest,
  OCI_EMPTY,
  OCI_INDEX,
  OCI_MANIFEST,
  RegistryStack,
  sha256,
} from '../../support/registry-stack.ts';

let stack: RegistryStack;

beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

const isThere = async (name: string, reference: string): Promise<boolean> =>
  (await stack.call('HEAD', `/v2/${name}/manifests/${reference}`, { as: 'bob' })).status === 200;
const remove = async (name: string, reference: string): Promise<void> => {
  expect((await stack.call('DELETE', `/v2/${name}/manifests/${reference}`)).status).toBe(202);
};
/** Layers of a manifest have their own grace period, which begins when it goes. */
const collectAll = async (): Promise<void> => {
  for (let run = 0; run < 3; run += 1) {
    await age(stack, 2);
    await collect(stack);
  }
};

async function pushIndex(name: string, tag: string, children: string[]): Promise<string> {
  const manifests = children.map((text) => descriptor(text, OCI_MANIFEST));
  const index = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  expect((await stack.putManifest(name, tag, index)).status).toBe(201);
  return sha256(index);
}

async function pushReferrer(name: string, subject: string, content: string): Promise<string> {
  await stack.pushBlob(name, '{}');
  const text = JSON.stringify(
    imageManifest({
      config: descriptor('{}', OCI_EMPTY),
      subject: { mediaType: OCI_MANIFEST, digest: subject, size: 1 },
      annotations: { content },
    }),
  );
  expect((await stack.putManifest(name, sha256(text), text)).status).toBe(201);
  return sha256(text);
}

test('a manifest whose last tag was deleted stays for the grace period, then goes with its bytes', async () => {
  const name = 'apps/images/deleted-tag';
  const { digest, layer } = await stack.pushImage(name, 'v1');
  await age(stack, 100);
  await remove(name, 'v1');
  await collect(stack);
  expect(await isThere(name, digest)).toBe(true);
  await collectAll();
  expect(await isThere(name, digest)).toBe(false);
  expect([await isStored(stack, digest), await isStored(stack, layer)]).toEqual([false, false]);
});

test('a manifest with another tag stays', async () => {
  const name = 'apps/images/other-tag';
  const { digest, text, layer } = await stack.pushImage(name, 'v1');
  await stack.putManifest(name, 'v2', text);
  await remove(name, 'v1');
  await collectAll();
  expect([await isThere(name, digest), await isStored(stack, layer)]).toEqual([true, true]);
});

test('a manifest that its tag has moved away from stays, and so does one that was pushed by digest', async () => {
  const name = 'apps/images/moved-tag';
  const old = await stack.pushImage(name, 'latest', 'old');
  await stack.pushImage(name, 'latest', 'new');
  const byDigest = JSON.stringify(
    imageManifest({ annotations: { by: 'digest' }, config: descriptor('{}', OCI_EMPTY) }),
  );
  await stack.pushBlob(name, '{}');
  expect((await stack.putManifest(name, sha256(byDigest), byDigest)).status).toBe(201);
  await collectAll();
  expect([await isThere(name, old.digest), await isThere(name, sha256(byDigest))]).toEqual([true, true]);
  expect(await isStored(stack, old.layer)).toBe(true);
});

test('a tag that was deleted and set again keeps its manifest', async () => {
  const name = 'apps/images/set-again';
  const { digest, text } = await stack.pushImage(name, 'v1');
  await remove(name, 'v1');
  await stack.putManifest(name, 'v1', text);
  await collectAll();
  expect(await isThere(name, digest)).toBe(true);
});

test.each([
  ['tag', 'multi'],
  ['digest', null],
])(
  'a deleted index (by %s) takes the parts with it that no other index and no tag has',
  async (way, reference) => {
    const name = `apps/images/index-by-${way}`;
    const [one, shared, tagged] = await Promise.all([
      stack.pushImage(name, 'a', `${way} a`),
      stack.pushImage(name, 'b', `${way} b`),
      stack.pushImage(name, 'c', `${way} c`),
    ]);
    const index = await pushIndex(name, 'multi', [one.text, shared.text, tagged.text]);
    await pushIndex(name, 'other', [shared.text]);
    // As clients do that push parts by their digest.
    await stack.database.sql.query(
      `with gone as (delete from tags where name in ('a', 'b') and image_id = (select id from images where path = $1))
     update manifests set untagged_at = now() where digest = any($2::text[])`,
      [name, [one.digest, shared.digest]],
    );
    await collectAll();
    expect(await isThere(name, one.digest)).toBe(true);
    await remove(name, reference ?? index);
    await collectAll();
    await collectAll();
    expect(await isThere(name, index)).toBe(false);
    expect([await isThere(name, one.digest), await isStored(stack, one.layer)]).toEqual([false, false]);
    expect([await isThere(name, shared.digest), await isThere(name, tagged.digest)]).toEqual([true, true]);
  },
);

test('a HEAD of somebody who pushes keeps a part of a deleted index for another grace period', async () => {
  const name = 'apps/images/about-to-be-used';
  const { digest } = await stack.pushImage(name, 'v1');
  await remove(name, 'v1');
  await age(stack, 2);
  await stack.call('HEAD', `/v2/${name}/manifests/${digest}`);
  await collect(stack);
  expect(await isThere(name, digest)).toBe(true);
  await age(stack, 2);
  await collect(stack);
  expect(await isThere(name, digest)).toBe(false);
});

test('referrers follow their deleted subject, one after the other; those of a subject that was never here stay', async () => {
  const name = 'apps/images/referrers';
  const { digest } = await stack.pushImage(name, 'v1');
  const signature = await pushReferrer(name, digest, 'signature');
  const ofSignature = await pushReferrer(name, signature, 'of the signature');
  const early = await pushReferrer(name, sha256('never pushed'), 'early');
  await collectAll();
  expect(await isThere(name, signature)).toBe(true);
  await remove(name, digest);
  await collectAll();
  expect([await isThere(name, signature), await isThere(name, ofSignature)]).toEqual([false, false]);
  expect(await isThere(name, early)).toBe(true);
});

test('referrers of a subject that comes back stay', async () => {
  const name = 'apps/images/returning';
  const { digest, text } = await stack.pushImage(name, 'v1');
  const signature = await pushReferrer(name, digest, 'signature');
  await remove(name, digest);
  await stack.putManifest(name, 'v1', text);
  await collectAll();
  expect(await isThere(name, signature)).toBe(true);
});

test('rules of the repository: manifests without a tag go after so many days unless pulled, orphans stay', async () => {
  const name = 'apps/images/rules';
  await stack.database.sql.query(
    `update repositories set retention = '{"untaggedDays": 3, "orphans": "keep"}' where name = 'images'`,
  );
  const old = await stack.pushImage(name, 'latest', 'first');
  const pulled = await stack.pushImage(name, 'latest', 'second');
  const { digest } = await stack.pushImage(name, 'latest', 'third');
  const signature = await pushReferrer(name, old.digest, 'signature');
  await age(stack, 71);
  await collect(stack);
  expect(await isThere(name, old.digest)).toBe(true);
  await stack.database.sql.query('update manifests set last_pulled_at = now() where digest = $1', [
    pulled.digest,
  ]);
  await age(stack, 2);
  expect(await collect(stack)).toMatchObject({ untaggedManifests: { bytes: 0 } });
  await age(stack, 2);
  await collect(stack);
  expect(await isThere(name, old.digest)).toBe(false);
  expect([await isThere(name, pulled.digest), await isThere(name, digest)]).toEqual([true, true]);
  expect(await isThere(name, signature)).toBe(true);
});
