import { utimes } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collectGarbage } from '../../../src/domain/garbage/collect-garbage.ts';
import { type Garbage, graceOf } from '../../../src/domain/garbage/garbage.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_LAYER,
  RegistryStack,
  sha256,
} from '../../support/registry-stack.ts';

let stack: RegistryStack;

beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

async function collect(graceSeconds = 3600): Promise<Garbage> {
  const { database, blobs } = stack;
  const run = await collectGarbage({ database, blobs, grace: graceOf(graceSeconds), strayFiles: true });
  return run?.removed ?? {};
}

/** As if so many hours had gone by since everything so far. */
async function age(hours: number): Promise<void> {
  const ago = `now() - interval '${hours} hours'`;
  const { sql } = stack.database;
  await sql.query(`update blobs set created_at = ${ago}`);
  await sql.query(`update image_blobs set touched_at = ${ago}`);
  await sql.query(`update upload_sessions set active_at = ${ago}`);
  await sql.query(`update images set modified_at = ${ago}`);
  const time = new Date(Date.now() - hours * 3_600_000);
  for await (const { digest } of stack.blobs.list()) await utimes(stack.blobs.localPath(digest), time, time);
}

let seed = 1;
function random(below: number): number {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed % below;
}

const isVisible = async (name: string, digest: string): Promise<boolean> =>
  (await stack.call('HEAD', `/v2/${name}/blobs/${digest}`)).status === 200;
const isStored = async (digest: string): Promise<boolean> =>
  (await stack.blobs.size(digest as Digest)) !== null;

test('blobs of an image stay, whatever their age', async () => {
  const { layer, config, digest } = await stack.pushImage('apps/images/kept', 'v1');
  await age(100);
  await collect();
  expect(await isVisible('apps/images/kept', layer)).toBe(true);
  expect(await isVisible('apps/images/kept', config)).toBe(true);
  expect((await stack.call('GET', `/v2/apps/images/kept/manifests/${digest}`)).status).toBe(200);
});

test('a blob that no manifest names stays for the grace period, and then goes', async () => {
  const digest = await stack.pushBlob('apps/images/kept', 'named by nobody');
  await collect();
  expect(await isVisible('apps/images/kept', digest)).toBe(true);
  await age(2);
  await collect();
  expect(await isVisible('apps/images/kept', digest)).toBe(false);
  expect(await isStored(digest)).toBe(false);
});

test.each([
  [
    'a HEAD of somebody who pushes',
    (digest: string) => stack.call('HEAD', `/v2/apps/images/kept/blobs/${digest}`),
  ],
  ['an upload', () => stack.pushBlob('apps/images/kept', 'about to be used')],
  [
    'a mount',
    (digest: string) =>
      stack.call('POST', `/v2/apps/images/kept/blobs/uploads/?mount=${digest}&from=apps/images/kept`),
  ],
])('%s begins the grace period anew', async (_what, touch) => {
  const digest = await stack.pushBlob('apps/images/kept', 'about to be used');
  await age(2);
  await touch(digest);
  await collect();
  expect(await isVisible('apps/images/kept', digest)).toBe(true);
  const manifest = imageManifest({
    config: descriptor('about to be used', OCI_CONFIG),
    layers: [descriptor('about to be used', OCI_LAYER)],
  });
  expect((await stack.putManifest('apps/images/kept', 'used', manifest)).status).toBe(201);
  expect(
    (await stack.call('DELETE', `/v2/apps/images/kept/manifests/${sha256(JSON.stringify(manifest))}`)).status,
  ).toBe(202);
});

test('a HEAD of somebody who only reads keeps nothing', async () => {
  const digest = await stack.pushBlob('apps/images/kept', 'only read');
  await age(2);
  await stack.call('HEAD', `/v2/apps/images/kept/blobs/${digest}`, { as: 'bob' });
  await collect();
  expect(await isStored(digest)).toBe(false);
});

test('space comes back after a manifest is deleted; what others use stays', async () => {
  const name = 'apps/images/shrinking';
  const one = await stack.pushImage(name, 'one', 'one');
  const shared = await stack.pushBlob(name, 'shared');
  const manifest = imageManifest({
    config: descriptor('{"os":"linux","architecture":"amd64","of":"one"}', OCI_CONFIG),
    layers: [descriptor('shared', OCI_LAYER)],
  });
  expect((await stack.putManifest(name, 'two', manifest)).status).toBe(201);
  await stack.call('DELETE', `/v2/${name}/manifests/${one.digest}`);
  await collect();
  expect(await isStored(one.layer)).toBe(true);
  await age(2);
  await collect();
  expect([await isStored(one.layer), await isStored(one.digest)]).toEqual([false, false]);
  expect([await isVisible(name, one.config), await isVisible(name, shared)]).toEqual([true, true]);
});

test('a deleted blob that a manifest still names keeps its bytes', async () => {
  const name = 'apps/images/named';
  const { layer } = await stack.pushImage(name, 'v1', 'named');
  await stack.call('DELETE', `/v2/${name}/blobs/${layer}`);
  await age(2);
  await collect();
  expect([await isVisible(name, layer), await isStored(layer)]).toEqual([false, true]);
});

test('uploads that nobody goes on with go after a day, with their bytes', async () => {
  const begin = async () => {
    const location = (await stack.call('POST', '/v2/apps/images/idle/blobs/uploads/')).headers.get(
      'location',
    )!;
    await stack.call('PATCH', location, { body: 'some bytes' });
    return location;
  };
  const location = await begin();
  await age(23);
  await collect();
  expect((await stack.call('GET', location)).status).toBe(204);
  await age(25);
  const fresh = await begin();
  await collect();
  expect((await stack.call('GET', location)).codes()).toEqual(['BLOB_UPLOAD_UNKNOWN']);
  expect((await stack.call('GET', fresh)).status).toBe(204);
});

test('images without anything in them go', async () => {
  const count = async () =>
    (await stack.database.sql.query(`select from images where path = 'apps/images/hollow'`)).length;
  await stack.pushBlob('apps/images/hollow', 'soon gone');
  await age(25);
  await collect();
  expect(await count()).toBe(0);
  await stack.pushBlob('apps/images/hollow', 'again');
  expect(await count()).toBe(1);
});

test('pushes, mounts and deletes race the collector: every tag can be pulled in the end', async () => {
  const layers = Array.from({ length: 250 }, (_, n) => `shared layer ${n}`);
  const config = '{"of":"the race"}';
  const names = ['race-a', 'race-b', 'race-c'].map((name) => `apps/images/${name}`);
  const tags = ['t0', 't1', 't2'];
  const graceSeconds = 2;
  const wanted = 3_000;
  /** What was accepted. */
  const done = { pushes: 0, mounts: 0, deletes: 0, images: 0 };
  /** Layers that the collector had removed when they were wanted again. */
  let returned = 0;
  let collections = 0;
  let hasFailed = false;
  const stored = new Set<string>();
  /** A slow machine needs more pushes to see the collector win so often. */
  const isOver = () =>
    hasFailed ||
    (done.pushes + done.mounts + done.deletes >= wanted &&
      Math.min(done.images, done.mounts, done.deletes) > 100 &&
      collections > 5 &&
      returned > 50);
  await collect(0);
  const bytesBefore = await storedBytes();

  const ensure = async (name: string, bytes: string): Promise<void> => {
    const digest = sha256(bytes);
    const way = random(3);
    if (way === 0 && (await isVisible(name, digest))) return;
    if (way === 1) {
      const path = `/v2/${name}/blobs/uploads/?mount=${digest}&from=${names[random(3)]}`;
      if ((await stack.call('POST', path)).status === 201) {
        done.mounts += 1;
        return;
      }
    }
    if (stored.has(digest) && !(await isStored(digest))) returned += 1;
    await stack.pushBlob(name, bytes);
    stored.add(digest);
    done.pushes += 1;
  };
  const push = async (name: string, tag: string): Promise<void> => {
    const chosen = [layers[random(250)]!, layers[random(250)]!];
    const began = performance.now();
    await Promise.all([config, ...chosen].map((bytes) => ensure(name, bytes)));
    const manifest = imageManifest({
      config: descriptor(config, OCI_CONFIG),
      layers: chosen.map((bytes) => descriptor(bytes, OCI_LAYER)),
      annotations: { push: String(done.images) },
    });
    const answer = await stack.putManifest(name, tag, manifest);
    // Who takes longer than the grace period must begin anew.
    if (answer.status === 400 && performance.now() - began > graceSeconds * 1000) return;
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
    done.images += 1;
    done.pushes += 1;
  };
  const remove = async (name: string, tag: string): Promise<void> => {
    const found = await stack.call('HEAD', `/v2/${name}/manifests/${tag}`);
    const digest = found.headers.get('docker-content-digest');
    if (!digest) return;
    const reference = random(3) === 0 ? tag : digest;
    const { status } = await stack.call('DELETE', `/v2/${name}/manifests/${reference}`);
    // Another one may have been first.
    expect([202, 404]).toContain(status);
    if (status === 202) done.deletes += 1;
  };
  const client = async (): Promise<void> => {
    while (!isOver()) {
      const [name, tag] = [names[random(3)]!, tags[random(3)]!];
      // What a tag is moved away from stays, and with it the layers.
      await remove(name, tag);
      if (random(3) > 0) await push(name, tag);
    }
  };
  const collector = async (): Promise<void> => {
    while (!isOver()) {
      await collect(graceSeconds);
      collections += 1;
      await sleep(20);
    }
  };
  await Promise.all([...Array.from({ length: 8 }, client), collector(), collector()]).catch((error) => {
    hasFailed = true;
    throw error;
  });

  for (const [name, tag] of await tagsOf(names)) {
    const manifest = await stack.call('GET', `/v2/${name}/manifests/${tag}`);
    expect(manifest.status).toBe(200);
    const document = manifest.json();
    for (const { digest } of [document.config, ...document.layers]) {
      const blob = await stack.call('GET', `/v2/${name}/blobs/${digest}`);
      expect([blob.status, sha256(blob.body)]).toEqual([200, digest]);
    }
  }
  // Also those that a tag was moved away from: they stay until somebody deletes them.
  for (const { path, digest } of await manifestsOf(names)) {
    expect((await stack.call('DELETE', `/v2/${path}/manifests/${digest}`)).status).toBe(202);
  }
  await age(2);
  await collect();
  expect(await storedBytes()).toBe(bytesBefore);
}, 240_000);

async function storedBytes(): Promise<number> {
  let bytes = 0;
  for await (const { size } of stack.blobs.list()) bytes += size;
  return bytes;
}

async function tagsOf(names: readonly string[]): Promise<[name: string, tag: string][]> {
  const listed = await Promise.all(
    names.map(async (name) => {
      const { tags = [] } = (await stack.call('GET', `/v2/${name}/tags/list`)).json();
      return tags.map((tag: string): [string, string] => [name, tag]);
    }),
  );
  return listed.flat();
}

async function manifestsOf(names: readonly string[]): Promise<{ path: string; digest: string }[]> {
  return await stack.database.sql.query(
    'select i.path, m.digest from manifests m join images i on i.id = m.image_id where i.path = any($1)',
    [names],
  );
}
