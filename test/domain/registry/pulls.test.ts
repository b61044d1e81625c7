import { afterAll, beforeAll, expect, test } from 'vitest';
import { OCI_INDEX, OCI_MANIFEST, RegistryStack, sha256 } from '../../support/registry-stack.ts';

let stack: RegistryStack;
const NAME = 'apps/images/counted';

beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

interface Counts {
  image: number;
  tags: Record<string, number>;
  days: Record<string, number>;
  pulled: string[];
}

async function counts(): Promise<Counts> {
  const { sql } = stack.database;
  const [image] = await sql.query<{ id: number; downloads: number }>(
    'select id, downloads from images where path = $1',
    [NAME],
  );
  const tags = await sql.query<{ name: string; downloads: number }>(
    'select name, downloads from tags where image_id = $1',
    [image!.id],
  );
  const days = await sql.query<{ tag: string; pulls: number }>(
    'select tag, sum(pulls)::int as pulls from tag_pulls where image_id = $1 group by tag',
    [image!.id],
  );
  const pulled = await sql.query<{ digest: string }>(
    'select digest from manifests where image_id = $1 and last_pulled_at is not null',
    [image!.id],
  );
  return {
    image: image!.downloads,
    tags: Object.fromEntries(tags.map((tag) => [tag.name, tag.downloads])),
    days: Object.fromEntries(days.map((day) => [day.tag, day.pulls])),
    pulled: pulled.map((row) => row.digest),
  };
}

test('each GET of a manifest counts, for its tag or the latest one on its digest; nothing else does', async () => {
  const { digest, text, layer } = await stack.pushImage(NAME, 'old');
  await stack.putManifest(NAME, 'new', text);
  const child = text.replace('{', '{ ');
  await stack.putManifest(NAME, sha256(child), child, { type: OCI_MANIFEST });
  const index = { mediaType: OCI_MANIFEST, digest: sha256(child), size: child.length };
  await stack.putManifest(NAME, 'index', { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [index] });

  const get = (path: string, method = 'GET') => stack.call(method, `/v2/${NAME}/${path}`);
  await Promise.all([get('manifests/old'), get('manifests/old'), get('manifests/new')]);
  await get(`manifests/${digest}`);
  await get(`manifests/${sha256(child)}`);
  await get('manifests/old', 'HEAD');
  await get(`blobs/${layer}`);
  await get('manifests/missing');

  await expect.poll(counts, { timeout: 20_000, interval: 100 }).toEqual({
    image: 4,
    tags: { old: 2, new: 2, index: 0 },
    days: { old: 2, new: 2 },
    pulled: expect.arrayContaining([digest, sha256(child)]),
  });

  await stack.pushImage(NAME, 'old', 'another');
  await get('manifests/old');
  await expect
    .poll(async () => (await counts()).tags, { timeout: 20_000, interval: 100 })
    .toEqual({
      old: 3,
      new: 2,
      index: 0,
    });
  await get('manifests/new', 'DELETE');
  expect((await counts()).image).toBe(5);
});
