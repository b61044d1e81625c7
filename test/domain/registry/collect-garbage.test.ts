import { utimes } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { collectGarbage } from '../../../src/domain/garbage/collect-garbage.ts';
import { graceOf } from '../../../src/domain/garbage/garbage.ts';
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

async function collect(graceSeconds = 3600): Promise<void> {
  const { database, blobs } = stack;
  await collectGarbage({ database, blobs, grace: graceOf(graceSeconds), strayFiles: true });
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
  const layers = Array.from({ length: 12 }, (_, n) => `shared layer ${n}`);
  const config = '{"of":"the race"}';
  const names = ['race-a', 'race-b', 'race-c'].map((name) => `apps/images/${name}`);
  const wanted = 2_000;
  let calls = 0;
  let isOver = false;
  const graceSeconds = 2;
  let pushes = 0;
  let collections = 0;
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };

  const ensure = async (name: string, bytes: string): Promise<void> => {
    const digest = sha256(bytes);
    const way = random(3);
    calls += 1;
    if (way === 0 && (await isVisible(name, digest))) return;
    if (way === 1) {
      const path = `/v2/${name}/blobs/uploads/?mount=${digest}&from=${names[random(3)]}`;
      if ((await stack.call('POST', path)).status === 201) return;
    }
    await stack.pushBlob(name, bytes);
  };
  const push = async (name: string, tag: string): Promise<void> => {
    const chosen = [layers[random(12)]!, layers[random(12)]!];
    for (const bytes of [config, ...chosen]) await ensure(name, bytes);
    const manifest = imageManifest({
      config: descriptor(config, OCI_CONFIG),
      layers: chosen.map((bytes) => descriptor(bytes, OCI_LAYER)),
      annotations: { push: String(pushes) },
    });
    const answer = await stack.putManifest(name, tag, manifest);
    if (answer.status !== 201) throw new Error(`${answer.status} ${answer.body}`);
    pushes += 1;
    calls += 1;
  };
  const pusher = async (): Promise<void> => {
    while (calls < wanted) {
      const name = names[random(3)]!;
      const tag = `t${random(4)}`;
      if (random(3) > 0) {
        await push(name, tag);
        continue;
      }
      const found = await stack.call('HEAD', `/v2/${name}/manifests/${tag}`);
      const digest = found.headers.get('docker-content-digest');
      calls += 1;
      if (digest) await stack.call('DELETE', `/v2/${name}/manifests/${digest}`);
    }
  };
  const collector = async (): Promise<void> => {
    while (!isOver) {
      await collect(graceSeconds);
      collections += 1;
      await sleep(20);
    }
  };
  const collecting = Promise.all([collector(), collector()]);
  await Promise.all(Array.from({ length: 8 }, pusher)).finally(() => {
    isOver = true;
  });
  await collecting;
  expect(pushes).toBeGreaterThan(200);
  expect(collections).toBeGreaterThan(5);

  for (const name of names) {
    const { tags = [] } = (await stack.call('GET', `/v2/${name}/tags/list`)).json();
    for (const tag of tags) {
      const manifest = await stack.call('GET', `/v2/${name}/manifests/${tag}`);
      expect(manifest.status).toBe(200);
      const document = manifest.json();
      for (const { digest } of [document.config, ...document.layers]) {
        const blob = await stack.call('GET', `/v2/${name}/blobs/${digest}`);
        expect([blob.status, sha256(blob.body)]).toEqual([200, digest]);
      }
    }
  }
}, 120_000);
