import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { readSettings } from '../../../../src/domain/config.ts';
import { EventHub } from '../../../../src/domain/events/event-hub.ts';
import { type RunningWorker, startWorker } from '../../../../src/workers/runner.ts';
import { RegistryGraphQL } from '../../../support/registry-graphql.ts';
import {
  descriptor,
  imageManifest,
  OCI_EMPTY,
  OCI_MANIFEST,
  RegistryStack,
  sha256,
  sha512,
  type User,
} from '../../../support/registry-stack.ts';

const CYCLONEDX = 'application/vnd.cyclonedx+json';
const SPDX = 'application/spdx+json';

let stack: RegistryStack;
let hub: EventHub;
let worker: RunningWorker;
const images: Record<string, { digest: string; text: string }> = {};

let graphql: RegistryGraphQL;
const data = (query: string, variables: object = {}, as: User = 'ada') => graphql.data(query, variables, as);

/** Attaches a document as oras does; waits until a worker has looked at it. */
const attach = async (
  name: string,
  subject: object,
  document: unknown,
  { type = CYCLONEDX, layerType = type }: { type?: string; layerType?: string } = {},
) => {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  await stack.pushBlob(name, text);
  await stack.pushBlob(name, '{}');
  const manifest = JSON.stringify(
    imageManifest({
      artifactType: type,
      config: descriptor('{}', OCI_EMPTY),
      layers: [descriptor(text, layerType)],
      subject,
    }),
  );
  const digest = sha256(manifest);
  expect((await stack.putManifest(name, digest, manifest)).status).toBe(201);
  const query = `query ($path: String!, $digest: String!) { image(path: $path) { manifest(reference: $digest) {
    sbom { state format problem }
  } } }`;
  const sbom = async () => (await data(query, { path: name, digest })).image.manifest.sbom;
  await vi.waitUntil(async () => (await sbom()).state !== 'QUEUED', { timeout: 20_000, interval: 20 });
  return { digest, sbom: await sbom() };
};

const cyclonedx = (...purls: string[]) => ({
  bomFormat: 'CycloneDX',
  components: purls.map((purl) => ({ purl })),
});

beforeAll(async () => {
  stack = await RegistryStack.start();
  graphql = new RegistryGraphQL(stack);
  hub = new EventHub(stack.database);
  await hub.start();
  const settings = readSettings({ STOWAGE_DATA_DIR: stack.dataDir });
  const { database, blobs } = stack;
  worker = await startWorker({ settings, database, blobs, hub, logger: pino({ level: 'silent' }) });
  for (const name of ['old', 'new', 'plain'])
    images[name] = await stack.pushImage(`apps/images/${name}`, '1');
  images.hidden = await stack.pushImage('library/images/hidden', '1', 'hidden', 'admin');
});
afterAll(async () => {
  await worker?.stop(0);
  await hub?.close();
  await stack?.close();
});

const subjectOf = (name: string) => descriptor(images[name]!.text, OCI_MANIFEST);
const search = async (component: object, as: User = 'ada') =>
  (
    await data(
      'query ($component: ComponentQuery) { images(filter: {component: $component}) { nodes { path } } }',
      { component },
      as,
    )
  ).images.nodes.map(({ path }: { path: string }) => path);

describe('which images contain this package', () => {
  beforeAll(async () => {
    const read = await attach(
      'apps/images/old',
      subjectOf('old'),
      cyclonedx('pkg:npm/lodash@4.17.20', 'pkg:pypi/django@2.0'),
    );
    expect(read.sbom).toEqual({ state: 'READ', format: 'cyclonedx', problem: null });
    const spdx = {
      spdxVersion: 'SPDX-2.3',
      packages: [{ externalRefs: [{ referenceType: 'purl', referenceLocator: 'pkg:npm/lodash@4.17.21' }] }],
    };
    const octets = { type: SPDX, layerType: 'application/octet-stream' };
    const other = await attach('apps/images/new', subjectOf('new'), spdx, octets);
    expect(other.sbom).toEqual({ state: 'READ', format: 'spdx', problem: null });
  });

  test.each([
    [{ purl: 'pkg:npm/lodash' }, ['apps/images/new', 'apps/images/old']],
    [{ purl: 'pkg:npm/lodash', range: '<4.17.21' }, ['apps/images/old']],
    [{ purl: 'pkg:npm/lodash@4.17.21' }, ['apps/images/new']],
    [{ type: 'pip', name: 'Django', range: '>=2' }, ['apps/images/old']],
    [{ name: 'left-pad' }, []],
  ])('%j', async (component, paths) => {
    expect(await search(component)).toEqual(paths);
    expect(await search(component, 'eve')).toEqual([]);
  });

  test('a search for nothing in particular is refused', async () => {
    await expect(search({ type: 'npm' })).rejects.toThrow('A component is looked for by its name or purl');
  });

  test('asked of the package, the manifest, or all manifests', async () => {
    const query = `{
      components(purl: "pkg:npm/lodash@4.17.20") { nodes { purl images { nodes { path } } requests { nodes { number } } } }
      image(path: "apps/images/old") { manifest(reference: "1") {
        components(name: "lodash") { nodes { purl } } sbom { state } referrers { nodes { sbom { state } } }
      } }
      manifests(filter: {component: {name: "lodash", range: "^4.17.21"}}) { totalCount nodes { digest } }
    }`;
    expect(await data(query)).toEqual({
      components: {
        nodes: [
          {
            purl: 'pkg:npm/lodash@4.17.20',
            images: { nodes: [{ path: 'apps/images/old' }] },
            requests: { nodes: [] },
          },
        ],
      },
      image: {
        manifest: {
          components: { nodes: [{ purl: 'pkg:npm/lodash@4.17.20' }] },
          sbom: null,
          referrers: { nodes: [{ sbom: { state: 'READ' } }] },
        },
      },
      manifests: { totalCount: 1, nodes: [{ digest: images.new!.digest }] },
    });
    expect((await data(query, {}, 'eve')).components.nodes).toEqual([]);
  });

  test('a subject by its other digest', async () => {
    const name = 'apps/images/plain';
    const { text } = images.plain!;
    expect((await stack.putManifest(name, sha512(text), text)).status).toBe(201);
    const subject = { ...subjectOf('plain'), digest: sha512(text) };
    await attach(name, subject, cyclonedx('pkg:npm/right-pad@1.0.0'));
    expect(await search({ name: 'right-pad' })).toEqual([name]);
  });

  test('an SBOM that comes before its subject counts when that is there, and no more when it is deleted', async () => {
    const name = 'apps/images/later';
    const config = '{"later":true}';
    const later = JSON.stringify(imageManifest({ config: descriptor(config, OCI_EMPTY) }));
    const { digest } = await attach(name, descriptor(later, OCI_MANIFEST), cyclonedx('pkg:npm/early@1.0.0'));
    expect(await search({ name: 'early' })).toEqual([]);
    await stack.pushBlob(name, config);
    expect((await stack.putManifest(name, 'late', later)).status).toBe(201);
    expect(await search({ name: 'early' })).toEqual([name]);
    expect((await stack.call('DELETE', `/v2/${name}/manifests/${digest}`)).status).toBe(202);
    expect(await search({ name: 'early' })).toEqual([]);
  });

  test('what others may not see stays unseen', async () => {
    const name = 'library/images/hidden';
    const text = JSON.stringify(cyclonedx('pkg:npm/secret-sauce@1.0.0'));
    await stack.pushBlob(name, text, 'admin');
    await stack.pushBlob(name, '{}', 'admin');
    const manifest = imageManifest({
      artifactType: CYCLONEDX,
      config: descriptor('{}', OCI_EMPTY),
      layers: [descriptor(text, CYCLONEDX)],
      subject: subjectOf('hidden'),
    });
    expect((await stack.putManifest(name, 'sbom', manifest, { as: 'admin' })).status).toBe(201);
    const found = async (as: User) => await search({ name: 'secret-sauce' }, as);
    await expect.poll(() => found('admin'), { timeout: 20_000, interval: 20 }).toEqual([name]);
    expect(await found('ada')).toEqual([]);
    const components = '{ components(name: "secret-sauce") { nodes { purl } } }';
    expect((await data(components)).components.nodes).toEqual([]);
    expect((await data(components, {}, 'admin')).components.nodes).toEqual([
      { purl: 'pkg:npm/secret-sauce@1.0.0' },
    ]);
  });
});

test.each([
  ['not JSON', 'It is not JSON'],
  ['{"some":"thing"}', 'It is neither CycloneDX nor SPDX'],
  [JSON.stringify({ payloadType: 'x', payload: 'bm90IEpTT04=' }), 'What it envelops is not JSON'],
])('an SBOM of %j is noted as one that cannot be read', async (document, problem) => {
  const { sbom } = await attach('apps/images/old', subjectOf('old'), document);
  expect(sbom).toEqual({ state: 'FAILED', format: null, problem });
});
