import { chmod, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkStore, type StoreReport } from '../../../src/domain/integrity/check-store.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { RegistryStack } from '../../support/registry-stack.ts';

const NAME = 'apps/images/checked';

let stack: RegistryStack;

beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

const check = (reportOnly = false): Promise<StoreReport> =>
  checkStore({ database: stack.database, blobs: stack.blobs, reportOnly });
const pathOf = (digest: string): string => stack.blobs.localPath(digest as Digest);
const setAside = async (): Promise<string[]> =>
  await readdir(join(stack.dataDir, 'blobs', 'damaged')).catch(() => []);
const statusOf = async (path: string): Promise<number> =>
  (await stack.call('HEAD', `/v2/${NAME}/${path}`)).status;

async function overwrite(digest: string, content: string): Promise<void> {
  await chmod(pathOf(digest), 0o644);
  await writeFile(pathOf(digest), content);
}

const WHOLE = { damaged: [], damagedBundles: [], restoredBundles: [] };

test('a whole store is reported as such', async () => {
  const { digest, layer, config } = await stack.pushImage(NAME, 'v1');
  const sizes = await Promise.all([digest, layer, config].map((one) => stack.blobs.size(one as Digest)));
  expect(await check()).toEqual({
    ...WHOLE,
    blobs: 3,
    bytes: sizes.reduce((sum: number, size) => sum + size!, 0),
  });
});

test.each([
  ['changed', 'changed', (digest: string) => overwrite(digest, 'other bytes')],
  [
    'shortened',
    'changed',
    (digest: string) => chmod(pathOf(digest), 0o644).then(() => truncate(pathOf(digest), 3)),
  ],
  ['missing', 'missing', (digest: string) => rm(pathOf(digest))],
] as const)(
  'a layer that is %s is not given out any more, until it is pushed again',
  async (what, problem, damage) => {
    const { digest, layer } = await stack.pushImage(NAME, what);
    await damage(layer);
    const before = (await setAside()).length;

    expect((await check(true)).damaged).toEqual([{ digest: layer, problem, usedBy: [`${NAME}@${digest}`] }]);
    expect(await setAside()).toHaveLength(before);
    expect(await statusOf(`blobs/${layer}`)).toBe(200);

    expect((await check()).damaged).toHaveLength(1);
    expect(await setAside()).toHaveLength(before + (problem === 'missing' ? 0 : 1));
    expect(await statusOf(`blobs/${layer}`)).toBe(404);
    const mount = `/v2/apps/images/elsewhere/blobs/uploads/?mount=${layer}&from=${NAME}`;
    expect((await stack.call('POST', mount)).status).toBe(202);

    await stack.pushImage(NAME, what);
    expect(await statusOf(`blobs/${layer}`)).toBe(200);
    expect((await stack.call('GET', `/v2/${NAME}/blobs/${layer}`)).body.toString()).toBe(
      `layer of ${NAME}:${what}`,
    );
    expect(await check()).toMatchObject(WHOLE);
  },
);

test('a damaged manifest', async () => {
  const { digest, text } = await stack.pushImage(NAME, 'manifest');
  await overwrite(digest, text.replace('2', '3'));
  expect((await check()).damaged).toMatchObject([{ digest, problem: 'changed' }]);
  // This gateway has it in memory; another one does not.
  const { url } = await stack.addGateway();
  const read = () => stack.call('GET', `/v2/${NAME}/manifests/manifest`, { url });
  expect((await read()).codes()).toEqual(['MANIFEST_UNKNOWN']);
  await stack.putManifest(NAME, 'manifest', text);
  expect((await read()).body.toString()).toBe(text);
  expect(await check()).toMatchObject(WHOLE);
});

test('what an operator has brought back is given out again', async () => {
  const { layer } = await stack.pushImage(NAME, 'restored');
  await rm(pathOf(layer));
  await check();
  await writeFile(pathOf(layer), `layer of ${NAME}:restored`);
  expect(await statusOf(`blobs/${layer}`)).toBe(404);
  expect(await check()).toMatchObject(WHOLE);
  expect(await statusOf(`blobs/${layer}`)).toBe(200);
});

test('a damaged bundle is not served, and is again once it is whole', async () => {
  const { sql } = stack.database;
  const [manifest, member, file] = await Promise.all(
    ['manifest', 'member', 'file'].map((text) => stack.blobs.write(Buffer.from(text))),
  );
  const all = [manifest!, member!, file!];
  for (const { digest, size, crc32 } of all) {
    await sql.query('insert into blobs (digest, size, crc32) values ($1, $2, $3)', [digest, size, crc32]);
  }
  await sql.query(
    `insert into bundles (manifest_digest, tar_digest, tar_size, archive_digest, archive_size, writer_version,
       source_member_digest, entries) values ($1, 'x', 1, 'x', 1, '1', $2, 1)`,
    [manifest!.digest, member!.digest],
  );
  await sql.query('insert into bundle_blobs (manifest_digest, digest) values ($1, $2)', [
    manifest!.digest,
    file!.digest,
  ]);
  const isServed = async () =>
    (await sql.query('select 1 from bundles where damaged_at is null')).length === 1;
  for (const { digest } of all) {
    const bytes = await stack.blobs.readWhole(digest);
    await overwrite(digest, 'damaged');
    expect(await check()).toMatchObject({ damaged: [{ digest }], damagedBundles: [manifest!.digest] });
    expect(await isServed()).toBe(false);
    expect(await check()).toMatchObject({ damaged: [{ digest, problem: 'missing' }], restoredBundles: [] });
    await stack.blobs.write(bytes);
    expect(await check()).toMatchObject({ damaged: [], restoredBundles: [manifest!.digest] });
    expect(await isServed()).toBe(true);
  }
});

test('an interrupted check marks nothing', async () => {
  const { layer } = await stack.pushImage(NAME, 'interrupted');
  await overwrite(layer, 'damaged');
  const signal = AbortSignal.abort(new Error('interrupted'));
  const { database, blobs } = stack;
  await expect(checkStore({ database, blobs, reportOnly: false, signal })).rejects.toThrow('interrupted');
  expect(await statusOf(`blobs/${layer}`)).toBe(200);
});
