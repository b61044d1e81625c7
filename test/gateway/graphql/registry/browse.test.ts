import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryGraphQL } from '../../../support/registry-graphql.ts';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  RegistryStack,
  sha256,
  type User,
} from '../../../support/registry-stack.ts';

let stack: RegistryStack;

let graphql: RegistryGraphQL;
const data = (query: string, variables: object = {}, as: User = 'ada') => graphql.data(query, variables, as);

const CONFIG = JSON.stringify({
  os: 'linux',
  architecture: 'arm64',
  variant: 'v8',
  created: '2024-01-02T03:04:05Z',
  author: 'ada',
  config: { Labels: { maintainer: 'ada', odd: 1 }, Env: ['A=1'], Cmd: ['/app'], User: '1000' },
  history: [
    { created: '2024-01-02T03:04:05Z', created_by: 'COPY app /app' },
    { created_by: 'CMD', empty_layer: true },
    7,
  ],
});
const BASE = 'a base layer';
const APP = 'layer of an app';
const MANIFEST = JSON.stringify(
  imageManifest({
    config: descriptor(CONFIG, OCI_CONFIG),
    layers: [descriptor(BASE, OCI_LAYER), descriptor(APP, OCI_LAYER)],
    annotations: { of: 'app' },
  }),
);
const INDEX = JSON.stringify({
  schemaVersion: 2,
  mediaType: OCI_INDEX,
  manifests: [descriptor(MANIFEST, OCI_MANIFEST, { platform: { os: 'linux', architecture: 'arm64' } })],
});
const SIGNATURE = JSON.stringify(
  imageManifest({
    artifactType: 'application/vnd.example.signature',
    config: descriptor(CONFIG, OCI_CONFIG),
    subject: descriptor(MANIFEST, OCI_MANIFEST),
  }),
);

beforeAll(async () => {
  stack = await RegistryStack.start();
  graphql = new RegistryGraphQL(stack);
  for (const name of ['apps/images/app', 'apps/images/tools/other']) await stack.pushBlob(name, BASE);
  await stack.pushBlob('apps/images/app', APP);
  await stack.pushBlob('apps/images/app', CONFIG);
  for (const [reference, manifest] of [
    ['1.0', MANIFEST],
    ['multi', INDEX],
    [sha256(SIGNATURE), SIGNATURE],
  ] as const) {
    expect((await stack.putManifest('apps/images/app', reference, manifest)).status).toBe(201);
  }
  const other = imageManifest({
    config: descriptor(BASE, 'application/vnd.example+json'),
    layers: [descriptor(BASE, OCI_LAYER)],
  });
  expect((await stack.putManifest('apps/images/tools/other', 'latest', other)).status).toBe(201);
  await stack.pushImage('library/images/hidden', '1', 'hidden', 'admin');
});
afterAll(async () => await stack?.close());

describe('what is there', () => {
  test('repositories, by path, with what they use', async () => {
    const query = `{ repositories { totalCount nodes {
      path name type category isPublic quota used project { name } images(name: "tool") { totalCount nodes { path } }
    } } }`;
    expect((await data(query)).repositories).toEqual({
      totalCount: 1,
      nodes: [
        {
          path: 'apps/images',
          name: 'images',
          type: 'DOCKER',
          category: 'LOCAL',
          isPublic: false,
          quota: null,
          used: BASE.length + APP.length + CONFIG.length,
          project: { name: 'apps' },
          images: { totalCount: 1, nodes: [{ path: 'apps/images/tools/other' }] },
        },
      ],
    });
    const { repositories } = await data('{ repositories { nodes { path } } }', {}, 'admin');
    expect(repositories.nodes).toEqual([{ path: 'apps/images' }, { path: 'library/images' }]);
  });

  test('an image with its tags and manifests', async () => {
    const { image } = await data(`{ image(path: "apps/images/app") {
      name path repository { path } createdBy { name }
      tags { totalCount nodes { name stages downloads manifest { digest } createdBy { name } } }
      manifests(filter: {isTagged: true}) { totalCount nodes { digest tags { name } } }
      tag(name: "1.0") { name }
    } }`);
    expect(image).toEqual({
      name: 'app',
      path: 'apps/images/app',
      repository: { path: 'apps/images' },
      createdBy: { name: 'ada' },
      tags: {
        totalCount: 2,
        nodes: [
          {
            name: '1.0',
            stages: [],
            downloads: 0,
            manifest: { digest: sha256(MANIFEST) },
            createdBy: { name: 'ada' },
          },
          {
            name: 'multi',
            stages: [],
            downloads: 0,
            manifest: { digest: sha256(INDEX) },
            createdBy: { name: 'ada' },
          },
        ],
      },
      manifests: {
        totalCount: 2,
        nodes: [
          { digest: sha256(INDEX), tags: [{ name: 'multi' }] },
          { digest: sha256(MANIFEST), tags: [{ name: '1.0' }] },
        ],
      },
      tag: { name: '1.0' },
    });
  });

  test('a manifest with its layers, platform, history, labels and referrers', async () => {
    const { image } = await data(`{ image(path: "apps/images/app") { manifest(reference: "1.0") {
      digest mediaType artifactType annotations subject size imageSize content
      platform { name } pushedBy { name } tags { name } image { path }
      layers { digest mediaType size isHere role } configBlob { digest role }
      config { labels { name value } history { created createdBy isEmptyLayer } environment command user author created }
      referrers(artifactType: "application/vnd.example.signature") { nodes { digest subject } }
      none: referrers(artifactType: "none") { nodes { digest } }
    } } }`);
    expect(image.manifest).toEqual({
      digest: sha256(MANIFEST),
      mediaType: OCI_MANIFEST,
      artifactType: OCI_CONFIG,
      annotations: { of: 'app' },
      subject: null,
      size: MANIFEST.length,
      imageSize: CONFIG.length + BASE.length + APP.length,
      content: MANIFEST,
      platform: { name: 'linux/arm64/v8' },
      pushedBy: { name: 'ada' },
      tags: [{ name: '1.0' }],
      image: { path: 'apps/images/app' },
      layers: [BASE, APP].map((layer) => ({
        digest: sha256(layer),
        mediaType: OCI_LAYER,
        size: layer.length,
        isHere: true,
        role: 'LAYER',
      })),
      configBlob: { digest: sha256(CONFIG), role: 'CONFIG' },
      config: {
        labels: [{ name: 'maintainer', value: 'ada' }],
        history: [
          { created: '2024-01-02T03:04:05Z', createdBy: 'COPY app /app', isEmptyLayer: false },
          { created: null, createdBy: 'CMD', isEmptyLayer: true },
        ],
        environment: ['A=1'],
        command: ['/app'],
        user: '1000',
        author: 'ada',
        created: '2024-01-02T03:04:05Z',
      },
      referrers: { nodes: [{ digest: sha256(SIGNATURE), subject: sha256(MANIFEST) }] },
      none: { nodes: [] },
    });
  });

  test('uploads under way: all to owners, their own to others', async () => {
    const begin = (as: User) => stack.call('POST', '/v2/apps/images/app/blobs/uploads/', { as });
    await begin('ada');
    await begin('admin');
    const query = `{ repository(project: "apps", name: "images") {
      uploadSessions { nodes { size isReceiving image { path } user { name } } }
    } }`;
    const users = async (as: User) => {
      const { nodes } = (await data(query, {}, as)).repository.uploadSessions;
      return nodes.map((upload: { user: { name: string } }) => upload.user.name).sort();
    };
    expect(await users('olga')).toEqual(['ada', 'admin']);
    expect(await users('ada')).toEqual(['ada']);
    expect(await users('bob')).toEqual([]);
    const [upload] = (await data(query)).repository.uploadSessions.nodes;
    expect(upload).toEqual({
      size: 0,
      isReceiving: false,
      image: { path: 'apps/images/app' },
      user: { name: 'ada' },
    });
  });

  test('an index with its platforms', async () => {
    const { image } = await data(`{ image(path: "apps/images/app") { manifest(reference: "multi") {
      platform { name } layers { digest } config { user } platforms { digest platform { name } manifest { imageSize } }
    } } }`);
    expect(image.manifest).toEqual({
      platform: null,
      layers: [],
      config: null,
      platforms: [
        {
          digest: sha256(MANIFEST),
          platform: { name: 'linux/arm64/v8' },
          manifest: { imageSize: CONFIG.length + BASE.length + APP.length },
        },
      ],
    });
  });

  test('a node by its id, unless it must not be seen', async () => {
    const { image } = await data(
      '{ image(path: "apps/images/app") { id manifest(reference: "1.0") { id } } }',
    );
    const query =
      'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Image { path } ... on Manifest { digest } } }';
    const ids = [image.id, image.manifest.id];
    expect((await data(query, { ids })).nodes).toEqual([
      { path: 'apps/images/app' },
      { digest: sha256(MANIFEST) },
    ]);
    expect((await data(query, { ids }, 'eve')).nodes).toEqual([null, null]);
  });
});

describe('which images contain this layer', () => {
  const IMAGES = 'query ($layer: String) { images(filter: {layer: $layer}) { totalCount nodes { path } } }';

  test.each([
    [BASE, ['apps/images/app', 'apps/images/tools/other']],
    [APP, ['apps/images/app']],
    [CONFIG, ['apps/images/app']],
    ['nobody has it', []],
  ])('%s', async (layer, paths) => {
    expect((await data(IMAGES, { layer: sha256(layer) })).images).toEqual({
      totalCount: paths.length,
      nodes: paths.map((path) => ({ path })),
    });
    expect((await data(IMAGES, { layer: sha256(layer) }, 'eve')).images.nodes).toEqual([]);
  });

  test('asked of the blob itself', async () => {
    const query = `query ($digest: String!) { blob(digest: $digest) {
      digest size sha512 images { nodes { path } } manifests { nodes { digest } }
    } }`;
    expect((await data(query, { digest: sha256(APP) })).blob).toEqual({
      digest: sha256(APP),
      size: APP.length,
      sha512: null,
      images: { nodes: [{ path: 'apps/images/app' }] },
      manifests: { nodes: [{ digest: sha256(MANIFEST) }] },
    });
    expect((await data(query, { digest: sha256(APP) }, 'eve')).blob).toBe(null);
  });

  test('a layer that is no digest is refused', async () => {
    const { errors } = await graphql.run(IMAGES, { layer: 'sha256:short' });
    expect(errors).toMatchObject([
      {
        message: '"sha256:short" is not a digest of sha256 or sha512',
        extensions: { code: 'invalid-input' },
      },
    ]);
  });
});

describe('pages', () => {
  const PAGE = `query ($first: Int, $last: Int, $after: String, $before: String) {
    image(path: "apps/images/app") { tags(first: $first, last: $last, after: $after, before: $before) {
      pageInfo { startCursor endCursor hasNextPage hasPreviousPage } nodes { name }
    } }
  }`;
  const page = async (variables: object) => (await data(PAGE, variables)).image.tags;

  test('forwards and backwards by name', async () => {
    const first = await page({ first: 1 });
    expect(first.nodes).toEqual([{ name: '1.0' }]);
    expect(first.pageInfo.hasNextPage).toBe(true);
    const second = await page({ first: 1, after: first.pageInfo.endCursor });
    expect(second.nodes).toEqual([{ name: 'multi' }]);
    expect(second.pageInfo.hasNextPage).toBe(false);
    const last = await page({ last: 1 });
    expect(last.nodes).toEqual([{ name: 'multi' }]);
    expect(last.pageInfo.hasPreviousPage).toBe(true);
    expect((await page({ last: 1, before: last.pageInfo.startCursor })).nodes).toEqual([{ name: '1.0' }]);
  });

  test.each([
    'nonsense',
    Buffer.from('id:7').toString('base64url'),
    Buffer.from('text:\0').toString('base64url'),
  ])('the cursor %j is refused', async (after) => {
    const { errors } = await graphql.run(PAGE, { first: 1, after });
    expect(errors?.[0]?.extensions.code).toBe('invalid-input');
  });
});

describe('anonymous callers', () => {
  const QUERY = '{ images { nodes { path } } image(path: "apps/images/app") { path } }';

  test('see what is public and nothing else', async () => {
    expect(await data(QUERY, {}, 'anonymous')).toEqual({ images: { nodes: [] }, image: null });
    await stack.database.sql.query(
      `update repositories r set is_public = true from projects p where p.id = r.project_id and p.name = 'library'`,
    );
    const { images } = await data(QUERY, {}, 'anonymous');
    expect(images).toEqual({ nodes: [{ path: 'library/images/hidden' }] });
  });
});
