import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  descriptor,
  imageManifest,
  OCI_CONFIG,
  OCI_INDEX,
  OCI_LAYER,
  OCI_MANIFEST,
  RegistryStack,
  sha256,
  sha512,
} from '../../../support/registry-stack.ts';
import { bkrepoCall, type CallOptions, dataOf, failureOf } from './bkrepo-calls.ts';

let stack: RegistryStack;

beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

const data = (method: string, path: string, options: CallOptions = {}) =>
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects.
  dataOf(stack, method, path, options) as Promise<any>;
const failure = (method: string, path: string, options: CallOptions = {}) =>
  failureOf(stack, method, path, options);

/** A repository of its own for each group of tests. */
async function repository(name: string): Promise<string> {
  await stack.database.sql.query(
    `insert into repositories (project_id, name) select id, $1 from projects where name = 'apps'`,
    [name],
  );
  return `apps/${name}`;
}

describe('Lists', () => {
  beforeAll(async () => {
    const path = await repository('lists');
    for (const name of ['nginx', 'a_b', 'a/b', 'a-b', 'zoo']) await stack.pushImage(`${path}/${name}`, 'v1');
    for (const tag of ['V2', 'latest', 'v1.0', 'v_1']) await stack.pushImage(`${path}/nginx`, tag);
    // Blobs without a tag make no image.
    await stack.pushBlob(`${path}/unfinished`, 'layer');
  });

  test.each([
    ['', ['a-b', 'a/b', 'a_b', 'nginx', 'zoo']],
    ['&name=', ['a-b', 'a/b', 'a_b', 'nginx', 'zoo']],
    ['&name=gin', ['nginx']],
    ['&name=GIN', []],
    ['&name=_', ['a_b']],
    ['&name=%25', []],
    ['&name=%5C', []],
    ['&name=a*b', ['a-b', 'a/b', 'a_b']],
    ['&name=*', ['a-b', 'a/b', 'a_b', 'nginx', 'zoo']],
    ['&name=n*x', ['nginx']],
    ['&name=unfinished', []],
  ])('images with %s', async (filter, names) => {
    const page = await data('GET', `/docker/ext/repo/apps/lists?pageNumber=1&pageSize=100${filter}`);
    expect([page.totalRecords, page.toatalRecords]).toEqual([names.length, names.length]);
    expect(page.records.map((record: { name: string }) => record.name)).toEqual(names);
  });

  test.each([
    ['pageNumber=0&pageSize=2', ['a-b', 'a/b']],
    ['pageNumber=1&pageSize=2', ['a-b', 'a/b']],
    ['pageNumber=2&pageSize=2', ['a_b', 'nginx']],
    ['pageNumber=3&pageSize=2', ['zoo']],
    ['pageNumber=4&pageSize=2', []],
    ['pageNumber=2147483647&pageSize=2147483647', []],
    ['pageNumber=1&pageSize=2147483647', ['a-b', 'a/b', 'a_b', 'nginx', 'zoo']],
  ])('pages of images: %s', async (paging, names) => {
    const page = await data('GET', `/docker/ext/repo/apps/lists?${paging}`);
    expect(page.totalRecords).toBe(5);
    expect(page.records.map((record: { name: string }) => record.name)).toEqual(names);
    const older = await data('GET', `/docker/api/repo/apps/lists?${paging}`);
    expect(older.map((record: { name: string }) => record.name)).toEqual(names);
  });

  test.each([
    ['', ['V2', 'latest', 'v1', 'v1.0', 'v_1']],
    ['&tag=v1', ['v1', 'v1.0']],
    ['&tag=V', ['V2']],
    ['&tag=_', ['v_1']],
    ['&tag=*', []],
  ])('tags with %s', async (filter, tags) => {
    const page = await data('GET', `/docker/ext/tag/apps/lists/nginx?pageNumber=1&pageSize=100${filter}`);
    expect(page.totalRecords).toBe(tags.length);
    expect(page.records.map((record: { tag: string }) => record.tag)).toEqual(tags);
  });

  test('tags of an image that is not there, or whose name is the beginning of another', async () => {
    const empty = { toatalRecords: 0, totalRecords: 0, records: [] };
    for (const name of ['nothing', 'a', 'NGINX']) {
      expect(await data('GET', `/docker/ext/tag/apps/lists/${name}?pageNumber=1&pageSize=9`)).toEqual(empty);
      expect(await data('GET', `/docker/api/tag/apps/lists/${name}`)).toEqual([]);
    }
  });

  test.each(['page: -1, size: 1', 'page: 1, size: 0', 'page: 1, size: -5'])(
    'in GraphQL there is no page with %s',
    async (page) => {
      const query = `{ imagePackages(project: "apps", repository: "lists", ${page}) { total } }`;
      const { text } = await bkrepoCall(stack, 'POST', '/graphql', { body: { query } });
      expect(JSON.parse(text).errors[0].extensions.code).toBe('invalid-input');
    },
  );

  test('an empty repository', async () => {
    await repository('empty');
    const empty = { toatalRecords: 0, totalRecords: 0, records: [] };
    expect(await data('GET', '/docker/ext/repo/apps/empty?pageNumber=1&pageSize=9')).toEqual(empty);
    expect(await data('GET', '/docker/api/repo/apps/empty?pageNumber=1&pageSize=9')).toEqual([]);
  });
});

describe('Who pushed, and when', () => {
  test('first and last pushes are told apart', async () => {
    const path = await repository('pushes');
    await stack.pushImage(`${path}/app`, 'v1', 'one', 'ada');
    const detail = '/docker/ext/version/detail/apps/pushes?packageKey=app&version=v1';
    const before = (await data('GET', detail)).basic;
    await stack.pushImage(`${path}/app`, 'v2', 'two', 'ada');
    await stack.pushImage(`${path}/app`, 'v1', 'three', 'olga');
    const after = (await data('GET', detail)).basic;
    expect(after).toMatchObject({
      createdBy: 'ada',
      lastModifiedBy: 'olga',
      createdDate: before.createdDate,
    });
    expect(after.lastModifiedDate > before.lastModifiedDate).toBe(true);
    const { records } = await data('GET', '/docker/ext/repo/apps/pushes?pageNumber=1&pageSize=1');
    expect(records[0]).toMatchObject({
      lastModifiedBy: 'olga',
      lastModifiedDate: after.lastModifiedDate,
    });
    const [image] = await data('GET', '/docker/api/repo/apps/pushes?pageNumber=1&pageSize=1');
    expect(image.createdBy).toBe('ada');
  });

  test('the older detail is that of the newest tag where there is no latest', async () => {
    const detail = await data('GET', '/docker/api/tag/detail/apps/pushes/app');
    expect(detail.basic.tag).toBe('v1');
  });
});

describe('Pulls', () => {
  test('GETs of a manifest count, by tag and by digest; reading it here does not', async () => {
    const path = await repository('pulls');
    const { digest } = await stack.pushImage(`${path}/app`, 'v1', 'same');
    await stack.pushImage(`${path}/app`, 'v2', 'same');
    const tags = '/docker/ext/tag/apps/pulls/app?pageNumber=1&pageSize=9';
    const counts = async () => [
      (await data('GET', '/docker/ext/repo/apps/pulls?pageNumber=1&pageSize=9')).records[0].downloadCount,
      ...(await data('GET', tags)).records.map((record: { downloadCount: number }) => record.downloadCount),
    ];
    await stack.call('GET', `/v2/${path}/app/manifests/v1`);
    await stack.call('GET', `/v2/${path}/app/manifests/${digest}`);
    await stack.call('HEAD', `/v2/${path}/app/manifests/v1`);
    await data('GET', '/docker/ext/manifest/apps/pulls/app/v1');
    await expect.poll(counts, { timeout: 10_000, interval: 50 }).toEqual([2, 1, 1]);

    // Overwriting a tag keeps what was counted.
    await stack.pushImage(`${path}/app`, 'v1', 'other');
    expect(await counts()).toEqual([2, 1, 1]);
  });
});

describe('Deleting', () => {
  const names = async (): Promise<string[]> => {
    const page = await data('GET', '/docker/ext/repo/apps/deletes?pageNumber=1&pageSize=9');
    return page.records.map((record: { name: string }) => record.name);
  };

  beforeAll(async () => {
    const path = await repository('deletes');
    for (const name of ['php', 'php/fpm', 'node', 'java', 'go'])
      await stack.pushImage(`${path}/${name}`, 'v1');
    await stack.pushImage(`${path}/php`, 'v2');
    await stack.pushImage(`${path}/node`, 'same', 'apps/deletes/node:v1');
  });

  test('a tag: others on the same manifest stay', async () => {
    const path = '/docker/ext/version/delete/apps/deletes?packageKey=docker%3A%2F%2Fnode&version=same';
    expect(await data('DELETE', path)).toBe(true);
    expect((await stack.call('GET', '/v2/apps/deletes/node/manifests/v1')).status).toBe(200);
    expect((await stack.call('GET', '/v2/apps/deletes/node/manifests/same')).status).toBe(404);
    expect(await failure('DELETE', path)).toEqual([404, 251019, 'Package version [same-{1}] not found']);
  });

  test.each([
    ['DELETE', '/docker/ext/version/delete/apps/deletes?packageKey=nothing&version=v9'],
    ['DELETE', '/docker/api/tag/apps/deletes/nothing/v9'],
    ['DELETE', '/docker/api/tag/apps/deletes/node/v9'],
  ])('a tag that is not there: %s %s', async (method, path) => {
    expect(await failure(method, path)).toEqual([404, 251019, 'Package version [v9-{1}] not found']);
    const headers = { 'accept-language': 'zh' };
    expect((await failure(method, path, { headers }))[2]).toBe('包版本[v9]不存在');
  });

  test('the last tag takes the image along', async () => {
    const { digest } = await stack.pushImage('apps/deletes/last', 'v1');
    await stack.call('GET', `/v2/apps/deletes/last/manifests/${digest}`);
    expect(await data('DELETE', '/docker/api/tag/apps/deletes/last/v1')).toBe(true);
    expect(await names()).not.toContain('last');
    expect((await stack.call('GET', `/v2/apps/deletes/last/manifests/${digest}`)).status).toBe(404);
  });

  test('an image: exactly that one, with all tags', async () => {
    expect(await data('DELETE', '/docker/ext/package/delete/apps/deletes?packageKey=docker://php')).toBe(
      true,
    );
    expect(await names()).toEqual(['go', 'java', 'node', 'php/fpm']);
    // A GET would be counted, sooner or later.
    expect((await stack.call('HEAD', '/v2/apps/deletes/php/fpm/manifests/v1')).status).toBe(200);
    expect((await stack.call('GET', '/v2/apps/deletes/php/tags/list')).status).toBe(404);
  });

  test.each(['docker://php', 'oci://php', 'php', 'never/there', 'N0 name!'])('twice: %s', async (key) => {
    const query = `packageKey=${encodeURIComponent(key)}`;
    expect(await data('DELETE', `/docker/ext/package/delete/apps/deletes?${query}`)).toBe(true);
  });

  test.each(['oci://go', 'java'])('by the key %s', async (key) => {
    const query = `packageKey=${encodeURIComponent(key)}`;
    expect(await data('DELETE', `/docker/ext/package/delete/apps/deletes?${query}`)).toBe(true);
    expect(await names()).not.toContain(key.replace('oci://', ''));
  });

  test('the older call gives the images that remain, also when there was nothing to delete', async () => {
    const remaining = await data('DELETE', '/docker/api/repo/apps/deletes/node');
    expect(remaining).toEqual([
      { name: 'php/fpm', createdBy: 'ada', downloadCount: 0, createdDate: expect.stringMatching(/ .*Z$/) },
    ]);
    expect(await data('DELETE', '/docker/api/repo/apps/deletes/node')).toEqual(remaining);
  });

  test('what is pushed again begins anew', async () => {
    await stack.pushImage('apps/deletes/again', 'v1', 'one', 'ada');
    await stack.call('GET', '/v2/apps/deletes/again/manifests/v1');
    const list = '/docker/ext/repo/apps/deletes?pageNumber=1&pageSize=9&name=again';
    const downloads = async () => (await data('GET', list)).records[0].downloadCount;
    await expect.poll(downloads, { timeout: 10_000, interval: 50 }).toBe(1);
    await data('DELETE', '/docker/api/repo/apps/deletes/again');
    await stack.pushImage('apps/deletes/again', 'v1', 'one', 'olga');
    const images = await data('GET', '/docker/api/repo/apps/deletes?pageNumber=1&pageSize=9');
    expect(images[0]).toMatchObject({ name: 'again', createdBy: 'olga', downloadCount: 0 });
  });
});

describe('Layers', () => {
  const content = 'bytes of a layer';
  let other: string;

  beforeAll(async () => {
    const path = await repository('layers');
    const config = '{"os":"linux"}';
    for (const bytes of [content, config]) await stack.pushBlob(`${path}/app`, bytes);
    const layer = { mediaType: OCI_LAYER, digest: sha512(content), size: content.length };
    await stack.call('POST', `/v2/${path}/app/blobs/uploads/?digest=${sha512(content)}`, { body: content });
    await stack.putManifest(
      `${path}/app`,
      'v1',
      imageManifest({
        config: descriptor(config, OCI_CONFIG),
        layers: [layer, descriptor(content, OCI_LAYER)],
      }),
    );
    ({ layer: other } = await stack.pushImage(`${path}/other`, 'v1'));
    await stack.pushBlob(`${path}/app`, 'not named by a manifest');
  });

  const hex = (digest: string) => digest.slice('sha256:'.length);

  test.each([
    ['ext', sha256(content)],
    ['ext', sha256(content).replace(':', '%3A')],
    ['ext', sha256(content).replace(':', '__')],
    ['ext', hex(sha256(content))],
    ['ext', sha512(content)],
    ['ext', sha512(content).replace(':', '__')],
    ['api', sha256(content)],
    ['api', hex(sha256(content))],
  ])('%s: %s', async (generation, id) => {
    const { status, headers, text } = await bkrepoCall(
      stack,
      'GET',
      `/docker/${generation}/layer/apps/layers/app/${id}`,
    );
    expect([status, text]).toEqual([200, content]);
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': `${content.length}`,
      'accept-ranges': 'bytes',
      etag: `"${sha256(content)}"`,
      'docker-distribution-api-version': 'registry/2.0',
      'docker-content-digest': /128|sha512/.test(id) || id.length > 100 ? sha512(content) : sha256(content),
    });
  });

  test('a range', async () => {
    const path = `/docker/ext/layer/apps/layers/app/${sha256(content)}`;
    const part = await bkrepoCall(stack, 'GET', path, { headers: { range: 'bytes=6-7' } });
    expect([part.status, part.text, part.headers.get('content-range')]).toEqual([206, 'of', 'bytes 6-7/16']);
    const none = await bkrepoCall(stack, 'GET', path, { headers: { range: 'bytes=16-' } });
    expect([none.status, none.envelope.code, none.envelope.message]).toEqual([
      416,
      250120,
      'Requested range not satisfiable',
    ]);
    const head = await bkrepoCall(stack, 'HEAD', path);
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '16']);
  });

  test.each([
    ['an unknown blob', () => sha256('nothing')],
    ['a layer of another image', () => other],
    ['a blob that no manifest names', () => sha256('not named by a manifest')],
  ])('%s', async (_what, id) => {
    expect(await failure('GET', `/docker/ext/layer/apps/layers/app/${id()}`)).toEqual([
      404,
      251024,
      'Artifact file data not found',
    ]);
  });

  test('of an image that is not there', async () => {
    expect(await failure('GET', `/docker/ext/layer/apps/layers/nothing/${sha256(content)}`)).toEqual([
      404,
      251024,
      'Artifact file data not found',
    ]);
  });
});

describe('Details of unusual images', () => {
  const platform = (os: string, architecture: string) => ({ platform: { os, architecture } });
  let child: { text: string; digest: string };

  beforeAll(async () => {
    const path = await repository('unusual');
    const push = async (name: string, config: string, layers: string[]) => {
      for (const bytes of [config, ...layers]) await stack.pushBlob(`${path}/${name}`, bytes);
      const text = JSON.stringify(
        imageManifest({
          config: descriptor(config, OCI_CONFIG),
          layers: layers.map((layer) => descriptor(layer, OCI_LAYER)),
        }),
      );
      await stack.putManifest(`${path}/${name}`, sha256(text), text, { type: OCI_MANIFEST });
      return { text, digest: sha256(text) };
    };
    const arm = await push('multi', '{"os":"linux","architecture":"arm64"}', ['shared', 'arm']);
    child = await push(
      'multi',
      JSON.stringify({
        os: 'linux',
        architecture: 'amd64',
        config: { Labels: { user: 'owen', sha256: 'forged', __proto__x: '1', number: 5 } },
        history: [
          { created: '2020-01-01T00:00:00Z', created_by: 'RUN make', comment: 'x' },
          { empty_layer: true },
          7,
        ],
      }),
      ['shared', 'amd'],
    );
    const index = {
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [
        descriptor(arm.text, OCI_MANIFEST, platform('linux', 'arm64')),
        descriptor(child.text, OCI_MANIFEST, platform('linux', 'amd64')),
      ],
    };
    await stack.putManifest(`${path}/multi`, 'v1', index);
    await stack.putManifest(`${path}/multi`, 'arm', { ...index, manifests: [index.manifests[0]] });
    await stack.pushBlob(`${path}/chart`, 'no json');
    await stack.pushBlob(`${path}/chart`, 'chart');
    await stack.putManifest(
      `${path}/chart`,
      'v1',
      imageManifest({
        config: descriptor('no json', 'application/vnd.example.config.v1+json'),
        layers: [descriptor('chart', 'application/vnd.example.chart')],
      }),
    );
  });

  test('an index is described by its image for linux/amd64', async () => {
    const detail = await data('GET', '/docker/ext/version/detail/apps/unusual?packageKey=multi&version=v1');
    const { text } = await stack
      .call('GET', '/v2/apps/unusual/multi/manifests/v1')
      .then(({ body }) => ({ text: body.toString() }));
    const config = JSON.parse(child.text).config;
    expect(detail.basic).toMatchObject({
      os: 'linux',
      platform: ['linux/arm64', 'linux/amd64'],
      sha256: config.digest.slice(7),
      size: config.size + '{"os":"linux","architecture":"arm64"}'.length + 'sharedarmamd'.length,
    });
    expect(detail.history).toEqual([{ created: '2020-01-01T00:00:00Z', created_by: 'RUN make' }, {}]);
    expect(detail.layers.map((layer: { size: number }) => layer.size)).toEqual([6, 3]);
    expect(detail.metadata).toEqual({
      'docker.manifest': 'v1',
      sha256: sha256(text).slice(7),
      'docker.repoName': 'multi',
      'docker.manifest.digest': sha256(text),
      'docker.manifest.type': OCI_INDEX,
      user: 'owen',
      __proto__x: '1',
    });
  });

  test('else by its first one', async () => {
    const detail = await data('GET', '/docker/api/tag/detail/apps/unusual/multi?tag=arm');
    expect(detail).toMatchObject({ history: [], basic: { os: 'linux', tag: 'arm' } });
    expect(detail.layers[1]).toEqual({ id: sha256('arm').replace(':', '__'), size: 3 });
  });

  test('children that are deleted do not count any more', async () => {
    const size = async () =>
      (await data('GET', '/docker/ext/tag/apps/unusual/multi?pageNumber=1&pageSize=9&tag=v1')).records[0]
        .size;
    const before = await size();
    await stack.call('DELETE', `/v2/apps/unusual/multi/manifests/${child.digest}`);
    expect(before - (await size())).toBe(JSON.parse(child.text).config.size + 'amd'.length);
  });

  test('an artifact whose config says nothing', async () => {
    const detail = await data('GET', '/docker/ext/version/detail/apps/unusual?packageKey=chart&version=v1');
    expect(detail).toMatchObject({
      basic: { os: '', platform: [], size: 12, sha256: sha256('no json').slice(7) },
      history: [],
      layers: [{ mediaType: 'application/vnd.example.chart', size: 5, digest: sha256('chart') }],
    });
  });

  test('a project called detail is found by its tags only where the path is no detail', async () => {
    await stack.call('GET', '/v2/');
    expect(await failure('GET', '/docker/api/tag/detail/p/r/a/b', { as: 'admin' })).toEqual([
      404,
      251006,
      'Repository [r] not found',
    ]);
    expect(await failure('GET', '/docker/api/tag/detail/r/a', { as: 'admin' })).toEqual([
      404,
      251006,
      'Repository [r] not found',
    ]);
  });
});
