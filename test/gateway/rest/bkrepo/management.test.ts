import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { RegistryStack } from '../../../support/registry-stack.ts';
import { bkrepoCall, type CallOptions, dataOf, failureOf } from './bkrepo-calls.ts';

let stack: RegistryStack;
const DATE = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/);

beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

const data = (method: string, path: string, options: CallOptions = {}) =>
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects.
  dataOf(stack, method, `/repository/api${path}`, options) as Promise<any>;
const failure = (method: string, path: string, options: CallOptions = {}) =>
  failureOf(stack, method, `/repository/api${path}`, options);

describe('Projects', () => {
  const project = { name: 'Web_1', displayName: 'Web pages', description: 'All of them', metadata: [] };

  test('from create to delete', async () => {
    const eve = { as: 'eve' } as const;
    expect(await data('GET', '/project/exist/Web_1', eve)).toBe(false);
    expect(await data('POST', '/project/create', { ...eve, body: project })).toBe(null);
    expect(await data('GET', '/project/exist/Web_1')).toBe(true);
    const record = {
      name: 'Web_1',
      displayName: 'Web pages',
      description: 'All of them',
      createdBy: 'eve',
      createdDate: DATE,
      lastModifiedBy: 'eve',
      lastModifiedDate: DATE,
    };
    expect(await data('GET', '/project/list', eve)).toEqual([record]);
    expect(await data('GET', '/project/info/Web_1', eve)).toEqual(record);

    expect(await data('PUT', '/project/Web_1', { ...eve, body: { description: 'Some' } })).toBe(null);
    expect(await data('GET', '/project/info/Web_1', eve)).toEqual({ ...record, description: 'Some' });
    expect(await data('DELETE', '/project/delete/Web_1', eve)).toBe(null);
    expect(await data('GET', '/project/exist/Web_1')).toBe(false);
  });

  test('others do not see it, and may not change it', async () => {
    await data('POST', '/project/create', { as: 'olga', body: { ...project, name: 'private' } });
    const names = (await data('GET', '/project/list')).map((one: { name: string }) => one.name);
    expect(names).toEqual(['apps']);
    const refused = [
      403,
      250113,
      'Access denied: user[ada] does not have [MANAGE] permission in project[private]',
    ];
    expect(await failure('PUT', '/project/private', { body: {} })).toEqual(refused);
    expect(await failure('DELETE', '/project/delete/private')).toEqual(refused);
    expect(await failure('GET', '/project/info/private')).toEqual([
      400,
      251004,
      'Project [private] not found',
    ]);
  });

  test('with images it is deleted only by force', async () => {
    await data('POST', '/project/create', { body: { ...project, name: 'full' } });
    await stack.pushImage('full/images/app', 'v1');
    expect(await failure('DELETE', '/project/delete/full')).toEqual([400, 251008, 'Repository is not empty']);
    expect(await data('DELETE', '/project/delete/full?forced=true')).toBe(null);
    expect((await stack.call('GET', '/v2/full/images/app/tags/list', { as: 'admin' })).status).toBe(404);
  });

  test.each<[what: string, body: unknown, outcome: unknown[]]>([
    ['no name', { ...project, name: null }, [400, 250103, 'Parameter [name] is missing']],
    [
      'no display name',
      { name: 'x_x', description: '' },
      [400, 250103, 'Parameter [displayName] is missing'],
    ],
    [
      'no description',
      { name: 'x_x', displayName: 'xx' },
      [400, 250103, 'Parameter [description] is missing'],
    ],
    ['a short name', { ...project, name: 'x' }, [400, 250105, 'Parameter [name] is invalid']],
    ['a number first', { ...project, name: '1x' }, [400, 250105, 'Parameter [name] is invalid']],
    ['a slash', { ...project, name: 'a/b' }, [400, 250105, 'Parameter [name] is invalid']],
    ['a line break', { ...project, name: 'ab\n' }, [400, 250105, 'Parameter [name] is invalid']],
    ['a long name', { ...project, name: 'x'.repeat(101) }, [400, 250105, 'Parameter [name] is invalid']],
    ['a number', { ...project, name: 5 }, [400, 250105, 'Parameter [name] is invalid']],
    [
      'a short display name',
      { ...project, displayName: 'x' },
      [400, 250105, 'Parameter [displayName] is invalid'],
    ],
    [
      'what cannot be stored',
      { ...project, description: '\0' },
      [400, 250105, 'Parameter [description] is invalid'],
    ],
    ['one that is there', { ...project, name: 'apps' }, [400, 251005, 'Project [apps] existed']],
    ['no JSON', '{', [400, 250106, 'Invalid request content']],
    ['no object', '[]', [400, 250106, 'Invalid request content']],
    ['nothing', '', [400, 250106, 'Invalid request content']],
  ])('%s', async (_what, body, outcome) => {
    expect(await failure('POST', '/project/create', { body })).toEqual(outcome);
  });

  test.each([
    ['POST', '/project/create'],
    ['GET', '/project/list'],
    ['GET', '/project/exist/apps'],
    ['POST', '/repo/create'],
    ['GET', '/repo/list/apps'],
    ['GET', '/repo/exist/apps/images'],
    ['GET', '/repo/info/apps/images'],
  ])('%s %s needs a login', async (method, path) => {
    expect(await failure(method, path, { as: 'anonymous' })).toEqual([
      401,
      250114,
      'Failed to authenticate: Unauthorized',
    ]);
  });
});

describe('Repositories', () => {
  const repository = { projectId: 'apps', name: 'web.1', type: 'DOCKER' };
  const owner = { as: 'olga' } as const;

  test('from create to delete', async () => {
    const body = {
      ...repository,
      category: 'LOCAL',
      public: true,
      description: 'Pages',
      configuration: { type: 'local', settings: {} },
      storageCredentialsKey: null,
      quota: 5_000_000_000,
      displayName: 'Web',
    };
    expect(await data('GET', '/repo/exist/apps/web.1')).toBe(false);
    expect(await data('POST', '/repo/create', { ...owner, body })).toBe(null);
    expect(await data('GET', '/repo/exist/apps/web.1')).toBe(true);
    const record = {
      projectId: 'apps',
      name: 'web.1',
      type: 'DOCKER',
      category: 'LOCAL',
      public: true,
      displayName: 'Web',
      description: 'Pages',
      configuration: { type: 'local', settings: {} },
      createdBy: 'olga',
      createdDate: DATE,
      lastModifiedBy: 'olga',
      lastModifiedDate: DATE,
      quota: 5_000_000_000,
      used: 0,
    };
    expect(await data('GET', '/repo/info/apps/web.1', owner)).toEqual(record);
    expect(await data('GET', '/repo/info/apps/web.1/DOCKER', owner)).toEqual(record);
    // There may be credentials in it.
    expect(await data('GET', '/repo/info/apps/web.1')).toEqual({ ...record, configuration: null });
    expect(await failure('GET', '/repo/info/apps/web.1/GENERIC')).toEqual([
      404,
      251006,
      'Repository [web.1] not found',
    ]);
    const change = { public: false, description: '' };
    expect(await data('POST', '/repo/update/apps/web.1', { ...owner, body: change })).toBe(null);
    expect(await data('GET', '/repo/info/apps/web.1', owner)).toEqual({ ...record, ...change });
    expect(await data('DELETE', '/repo/delete/apps/web.1', owner)).toBe(null);
    expect(await data('GET', '/repo/exist/apps/web.1')).toBe(false);
  });

  test('what is not said', async () => {
    await data('POST', '/repo/create', { ...owner, body: { ...repository, name: 'plain', type: 'OCI' } });
    expect(await data('GET', '/repo/info/apps/plain')).toMatchObject({
      type: 'OCI',
      category: 'COMPOSITE',
      public: false,
      description: '',
      configuration: null,
      quota: null,
    });
  });

  test.each<[what: string, change: object, outcome: unknown[]]>([
    ['no project', { projectId: null }, [400, 250103, 'Parameter [projectId] is missing']],
    ['no name', { name: null }, [400, 250103, 'Parameter [name] is missing']],
    ['no type', { type: null }, [400, 250103, 'Parameter [type] is missing']],
    ['another type', { type: 'GENERIC' }, [400, 250105, 'Parameter [type] is invalid']],
    ['another category', { category: 'x' }, [400, 250105, 'Parameter [category] is invalid']],
    ['a short name', { name: 'x' }, [400, 250105, 'Parameter [name] is invalid']],
    ['a long name', { name: 'x'.repeat(65) }, [400, 250105, 'Parameter [name] is invalid']],
    ['a slash', { name: 'a/b' }, [400, 250105, 'Parameter [name] is invalid']],
    [
      'a long description',
      { description: 'x'.repeat(201) },
      [400, 250105, 'Parameter [description] is invalid'],
    ],
    ['no flag', { public: 'yes' }, [400, 250105, 'Parameter [public] is invalid']],
    ['no number', { quota: '5' }, [400, 250105, 'Parameter [quota] is invalid']],
    ['a negative quota', { quota: -1 }, [400, 250105, 'Parameter [quota] is invalid']],
    ['no object', { configuration: [] }, [400, 250105, 'Parameter [configuration] is invalid']],
    [
      'what cannot be stored',
      { configuration: { a: '\0' } },
      [400, 250105, 'Parameter [configuration] is invalid'],
    ],
    [
      'a type in capitals',
      { configuration: { type: 'LOCAL' } },
      [400, 250105, 'Parameter [configuration] is invalid'],
    ],
    ['an unknown project', { projectId: 'nothing' }, [400, 251004, 'Project [nothing] not found']],
    ['one that is there', { name: 'images' }, [400, 251007, 'Repository [images] existed']],
  ])('%s', async (_what, change, outcome) => {
    const body = { ...repository, ...change };
    expect(await failure('POST', '/repo/create', { as: 'admin', body })).toEqual(outcome);
  });

  test('only owners make, change and delete them', async () => {
    const refused = [
      403,
      250113,
      'Access denied: user[ada] does not have [MANAGE] permission in project[apps]',
    ];
    expect(await failure('POST', '/repo/create', { body: repository })).toEqual(refused);
    expect(await failure('POST', '/repo/update/apps/images', { body: {} })).toEqual(refused);
    expect(await failure('POST', '/repo/quota/apps/images?quota=1')).toEqual(refused);
    expect(await failure('DELETE', '/repo/delete/apps/images')).toEqual(refused);
  });

  test.each<[method: string, path: string, body?: object]>([
    ['POST', '/repo/update/apps/nothing', {}],
    ['POST', '/repo/quota/apps/nothing?quota=1'],
    ['DELETE', '/repo/delete/apps/nothing'],
  ])('that there are none is said before who may: %s %s', async (method, path, body) => {
    expect(await failure(method, path, { as: 'eve', ...(body && { body }) })).toEqual([
      404,
      251006,
      'Repository [nothing] not found',
    ]);
  });

  test('lists and pages, of what one may read', async () => {
    for (const name of ['list_a', 'list_b', 'list_c']) {
      await data('POST', '/repo/create', { ...owner, body: { ...repository, name, type: 'OCI' } });
    }
    await data('POST', '/repo/update/apps/list_c', { ...owner, body: { public: true } });
    const names = (records: { name: string }[]) => records.map(({ name }) => name);
    expect(names(await data('GET', '/repo/list/apps?name=list_'))).toEqual(['list_a', 'list_b', 'list_c']);
    expect(names(await data('GET', '/repo/list/apps?name=list_&type=oci'))).toHaveLength(3);
    expect(names(await data('GET', '/repo/list/apps?name=list_&type=DOCKER'))).toEqual([]);
    expect(names(await data('GET', '/repo/list/apps?type=GENERIC'))).toEqual([]);
    expect(names(await data('GET', '/repo/list/apps', { as: 'eve' }))).toEqual(['list_c']);
    expect(await data('GET', '/repo/list/nothing')).toEqual([]);
    const page = await data('GET', '/repo/page/apps/2/2?name=list_&type=OCI');
    expect({ ...page, records: names(page.records) }).toEqual({
      pageNumber: 2,
      pageSize: 2,
      totalRecords: 3,
      totalPages: 2,
      records: ['list_c'],
    });
  });

  test('one with images is deleted only by force', async () => {
    await stack.pushImage('apps/doomed/app', 'v1', 'doomed', 'olga');
    expect(await failure('DELETE', '/repo/delete/apps/doomed', owner)).toEqual([
      400,
      251008,
      'Repository is not empty',
    ]);
    expect(await data('DELETE', '/repo/delete/apps/doomed?forced=true', owner)).toBe(null);
    expect(await data('GET', '/repo/exist/apps/doomed')).toBe(false);
  });

  test('clean-up', async () => {
    const rules = async () => {
      const query =
        '{ repository(project: "apps", name: "cleaned") { retention { images keepLatest keepDays } } }';
      const { text } = await bkrepoCall(stack, 'POST', '/graphql', { ...owner, body: { query } });
      return JSON.parse(text).data.repository.retention;
    };
    const configuration = (cleanupStrategy: object | string) => ({ settings: { cleanupStrategy } });
    const numbers = {
      enable: true,
      cleanupType: 'retentionNums',
      cleanupValue: '5',
      cleanTargets: ['docker://php'],
    };
    await data('POST', '/repo/create', {
      ...owner,
      body: { ...repository, name: 'cleaned', configuration: configuration(numbers) },
    });
    expect(await rules()).toEqual({ images: ['php'], keepLatest: 5, keepDays: null });
    const change = (strategy: object | string) => ({
      ...owner,
      body: { configuration: configuration(strategy) },
    });
    const days = { enable: true, cleanupType: 'retentionDays', cleanupValue: 30 };
    await data('POST', '/repo/update/apps/cleaned', change(days));
    expect(await rules()).toEqual({ images: [], keepLatest: null, keepDays: 30 });
    await data('POST', '/repo/update/apps/cleaned', { ...owner, body: { description: 'x' } });
    expect(await rules()).toMatchObject({ keepDays: 30 });
    for (const wrong of [
      { enable: true, cleanupType: 'never', cleanupValue: 1 },
      { enable: true, cleanupType: 'retentionDays', cleanupValue: 'x' },
      { enable: true, cleanupType: 'retentionDays', cleanupValue: 1, cleanTargets: ['('] },
      { enable: true, cleanupType: 'retentionDays', cleanupValue: 1, cleanTargets: [5] },
      { enable: 'false', cleanupType: 'retentionDays', cleanupValue: 1 },
      'retentionDays',
    ]) {
      expect(await failure('POST', '/repo/update/apps/cleaned', change(wrong))).toEqual([
        400,
        250105,
        'Parameter [cleanupStrategy] is invalid',
      ]);
    }
    await data('POST', '/repo/update/apps/cleaned', change({ enable: false }));
    expect(await rules()).toBe(null);
  });

  test('clean-up that is refused leaves no repository behind', async () => {
    const cleanupStrategy = {
      enable: true,
      cleanupType: 'retentionNums',
      cleanupValue: 1,
      cleanTargets: ['('],
    };
    const body = { ...repository, name: 'half', configuration: { settings: { cleanupStrategy } } };
    expect(await failure('POST', '/repo/create', { ...owner, body })).toEqual([
      400,
      250105,
      'Parameter [cleanupStrategy] is invalid',
    ]);
    expect(await data('GET', '/repo/exist/apps/half')).toBe(false);
  });

  test('clean-up is not shown any more when other rules have been set', async () => {
    const cleanupStrategy = { enable: true, cleanupType: 'retentionNums', cleanupValue: '5' };
    const configuration = { type: 'local', settings: { a: 1, cleanupStrategy } };
    const shown = async () => (await data('GET', '/repo/info/apps/both', owner)).configuration;
    const set = (keepLatest: number) =>
      bkrepoCall(stack, 'POST', '/graphql', {
        ...owner,
        body: {
          query: `mutation {
            setRetention(project: "apps", name: "both", rules: {images: [], keepLatest: ${keepLatest}}) { __typename }
          }`,
        },
      });
    await data('POST', '/repo/create', { ...owner, body: { ...repository, name: 'both', configuration } });
    await set(5);
    expect(await shown()).toEqual(configuration);
    await set(6);
    expect(await shown()).toEqual({ type: 'local', settings: { a: 1 } });
  });

  test('quota', async () => {
    await stack.pushBlob('apps/limited/app', '0123456789', 'olga');
    expect(await data('GET', '/repo/quota/apps/limited')).toEqual({ quota: null, used: 10 });
    expect(await data('POST', '/repo/quota/apps/limited?quota=15', owner)).toBe(null);
    expect(await data('GET', '/repo/quota/apps/limited')).toEqual({ quota: 15, used: 10 });
    await expect(stack.pushBlob('apps/limited/app', 'abcdefghij', 'olga')).rejects.toThrow(
      'Exceeded repository [limited] quota value [15]',
    );
    expect(await data('POST', '/repo/quota/apps/limited', { ...owner, body: { quota: null } })).toBe(null);
    await stack.pushBlob('apps/limited/app', 'abcdefghij', 'olga');
    expect(await data('GET', '/repo/quota/apps/limited')).toEqual({ quota: null, used: 20 });
  });
});

describe('Stages', () => {
  const stages = (tag: string) =>
    data('GET', `/stage/apps/staged?packageKey=docker://php/fpm&version=${tag}`);
  const upgrade = (tag: string, more = '') =>
    `/stage/upgrade/apps/staged?packageKey=docker%3A%2F%2Fphp%2Ffpm&version=${tag}${more}`;

  beforeAll(async () => {
    for (const tag of ['v1', 'v2', 'v3', 'v4'])
      await stack.pushImage('apps/staged/php/fpm', tag, tag, 'olga');
  });

  test.each<[tag: string, steps: string[], expected: string[]]>([
    ['v1', ['', ''], ['@prerelease', '@release']],
    ['v2', ['&tag=@release'], ['@release']],
    ['v3', ['&tag=prerelease', '&tag=release'], ['@prerelease', '@release']],
  ])('%s: %s', async (tag, steps, expected) => {
    for (const step of steps) expect(await data('POST', upgrade(tag, step))).toBe(null);
    expect(await stages(tag)).toEqual(expected);
  });

  test('with package and version in the path', async () => {
    expect(await data('POST', '/stage/upgrade/apps/staged/docker%3A%2F%2Fphp%2Ffpm/v4')).toBe(null);
    expect(await data('POST', '/stage/upgrade/apps/staged/docker:/%2Fphp/fpm/v4?tag=@release')).toBe(null);
    expect(await data('GET', '/stage/apps/staged/php%2Ffpm/v4')).toEqual(['@prerelease', '@release']);
  });

  test('are shown where tags are, and are no push', async () => {
    const path = '/docker/ext/tag/apps/staged/php/fpm?pageNumber=1&pageSize=1&tag=v1';
    const page = (await dataOf(stack, 'GET', path)) as { records: object[] };
    expect(page.records[0]).toMatchObject({ stageTag: '@release', lastModifiedBy: 'olga' });
    const list = (await dataOf(stack, 'GET', '/docker/api/tag/apps/staged/php/fpm')) as { status: string }[];
    expect(list[0]!.status).toBe('@release');
    const detail = '/docker/ext/version/detail/apps/staged?packageKey=php/fpm&version=v1';
    expect(await dataOf(stack, 'GET', detail)).toMatchObject({
      basic: { stageTag: ['@prerelease', '@release'] },
    });
  });

  test('a push keeps them', async () => {
    await stack.pushImage('apps/staged/php/fpm', 'v1', 'newer', 'olga');
    expect(await stages('v1')).toEqual(['@prerelease', '@release']);
  });

  test.each([
    ['past the end', upgrade('v1'), [400, 251015, 'Upgrade artifact stage error: [Illegal stage]']],
    [
      'back',
      upgrade('v2', '&tag=prerelease'),
      [400, 251015, 'Upgrade artifact stage error: [Illegal stage]'],
    ],
    ['to nowhere', upgrade('v2', '&tag=@beta'), [400, 251015, 'Upgrade artifact stage error: [Unknown tag]']],
    ['an unknown version', upgrade('v9'), [400, 250108, 'Resource [v9] not found']],
    [
      'an unknown package',
      '/stage/upgrade/apps/staged?packageKey=docker://nothing&version=v1',
      [400, 250108, 'Resource [nothing] not found'],
    ],
  ])('%s', async (_what, path, outcome) => {
    expect(await failure('POST', path)).toEqual(outcome);
  });

  test.each([
    ['v9', 'docker://php/fpm', 'v9'],
    ['v1', 'docker://nothing', 'nothing'],
  ])('none of %s of %s', async (version, key, name) => {
    expect(await failure('GET', `/stage/apps/staged?packageKey=${key}&version=${version}`)).toEqual([
      400,
      250108,
      `Resource [${name}] not found`,
    ]);
  });
});

describe('Packages', () => {
  beforeAll(async () => {
    for (const tag of ['v1', 'v2']) await stack.pushImage('apps/packages/php', tag, tag, 'olga');
    await stack.pushImage('apps/packages/node', 'v1', 'node', 'olga');
  });

  const record = {
    projectId: 'apps',
    repoName: 'packages',
    name: 'php',
    key: 'docker://php',
    type: 'DOCKER',
    latest: 'v2',
    downloads: 0,
    versions: 2,
    description: '',
    createdBy: 'olga',
    createdDate: DATE,
    lastModifiedBy: 'olga',
    lastModifiedDate: DATE,
  };

  test('pages', async () => {
    expect(await data('GET', '/package/page/apps/packages?packageName=ph&pageNumber=1&pageSize=10')).toEqual({
      pageNumber: 1,
      pageSize: 10,
      totalRecords: 1,
      totalPages: 1,
      records: [record],
    });
    expect(await data('GET', '/package/page/apps/packages')).toMatchObject({ pageSize: 20, totalRecords: 2 });
  });

  test('one', async () => {
    expect(await data('GET', '/package/info/apps/packages?packageKey=docker://php')).toEqual(record);
    expect(await failure('GET', '/package/info/apps/packages?packageKey=docker://nothing')).toEqual([
      404,
      251017,
      'Package [docker://nothing] not found',
    ]);
  });

  test('versions', async () => {
    await data('POST', '/stage/upgrade/apps/packages?packageKey=php&version=v2');
    const page = await data(
      'GET',
      '/version/page/apps/packages?packageKey=php&stageTag=@prerelease,@release',
    );
    expect(page).toEqual({
      pageNumber: 1,
      pageSize: 20,
      totalRecords: 1,
      totalPages: 1,
      records: [
        {
          name: 'v2',
          size: expect.any(Number),
          downloads: 0,
          stageTag: ['@prerelease'],
          manifestPath: '/php/manifest/v2/manifest.json',
          createdBy: 'olga',
          createdDate: DATE,
          lastModifiedBy: 'olga',
          lastModifiedDate: DATE,
          recentlyUseDate: null,
        },
      ],
    });
    expect(await data('GET', '/version/page/apps/packages?packageKey=php&version=v1')).toMatchObject({
      records: [{ name: 'v1' }],
    });
  });

  test('pulls and the last one are shown', async () => {
    expect((await stack.call('GET', '/v2/apps/packages/node/manifests/v1')).status).toBe(200);
    const version = async () => (await data('GET', '/version/page/apps/packages?packageKey=node')).records[0];
    await vi.waitFor(async () => expect((await version()).downloads).toBe(1), { timeout: 10_000 });
    expect(await version()).toMatchObject({ name: 'v1', recentlyUseDate: DATE });
  });
});

describe('Access keys', () => {
  const graphql = async (query: string, as: CallOptions['as']) => {
    const { text } = await bkrepoCall(stack, 'POST', '/graphql', { as: as!, body: { query } });
    return JSON.parse(text);
  };
  const CREATE = `mutation {
    createPlatformAccount(name: "console") {
      __typename ... on MutationCreatePlatformAccountSuccess { data { name accessKeys } } ... on Error { code }
    }
  }`;
  const KEY = `mutation {
    createPlatformKey(account: "console") {
      __typename ... on MutationCreatePlatformKeySuccess { data { account accessKey secretKey } } ... on Error { code }
    }
  }`;
  const DELETE = `mutation {
    deletePlatformAccount(name: "console") { __typename ... on Error { code } }
  }`;

  test('are made and ended by administrators', async () => {
    expect((await graphql(CREATE, 'olga')).data.createPlatformAccount).toEqual({
      __typename: 'ForbiddenError',
      code: 'forbidden',
    });
    expect((await graphql(KEY, 'admin')).data.createPlatformKey.code).toBe('not-found');
    expect((await graphql(CREATE, 'admin')).data.createPlatformAccount.data).toEqual({
      name: 'console',
      accessKeys: [],
    });
    expect((await graphql(CREATE, 'admin')).data.createPlatformAccount.code).toBe('conflict');
    const { accessKey, secretKey } = (await graphql(KEY, 'admin')).data.createPlatformKey.data;
    const accounts = (await graphql('{ platformAccounts { name accessKeys } }', 'admin')).data;
    expect(accounts).toEqual({ platformAccounts: [{ name: 'console', accessKeys: [accessKey] }] });

    const pair = Buffer.from(`${accessKey}:${secretKey}`).toString('base64');
    const headers = { authorization: `Platform ${pair}`, 'x-bkrepo-uid': 'olga' };
    expect(await data('GET', '/repo/exist/apps/images', { as: 'anonymous', headers })).toBe(true);
    await graphql(DELETE, 'admin');
    expect(await failure('GET', '/repo/exist/apps/images', { as: 'anonymous', headers })).toEqual([
      401,
      250114,
      'Failed to authenticate: AccessKey/SecretKey check failed.',
    ]);
  });
});

describe('Tokens of users', () => {
  const token = (method: string, path: string, options: CallOptions = {}) =>
    bkrepoCall(stack, method, `/auth/api/user/token${path}`, options);

  test('are made, used and ended', async () => {
    const made = await token('POST', '/ada/ci?expiredAt=2999-01-31T12:00:00.000');
    expect(made.envelope.data).toEqual({
      name: 'ci',
      id: expect.stringMatching(/^stw_/),
      createdAt: DATE,
      expiredAt: '2999-01-31T12:00:00.000',
    });
    const pair = Buffer.from(`ada:${made.envelope.data.id}`).toString('base64');
    const headers = { authorization: `Basic ${pair}` };
    expect(await data('GET', '/repo/exist/apps/images', { as: 'anonymous', headers })).toBe(true);
    expect((await token('DELETE', '/ada/ci')).envelope.data).toBe(true);
    expect((await failure('GET', '/repo/exist/apps/images', { as: 'anonymous', headers }))[1]).toBe(250114);
  });

  test.each<[method: string, path: string, as: CallOptions['as'], outcome: unknown[]]>([
    ['POST', '/olga/mine', 'ada', [403, 250113, 'Access denied: Forbidden']],
    ['POST', '/nobody/x', 'admin', [400, 250108, 'Resource [nobody] not found']],
    ['POST', '/ada/test', 'ada', [400, 250107, 'Resource [test] existed']],
    ['POST', '/ada/a%20b', 'ada', [400, 250105, 'Parameter [name] is invalid']],
    ['POST', '/ada/x?expiredAt=tomorrow', 'ada', [400, 250105, 'Parameter [expiredAt] is invalid']],
    [
      'POST',
      '/ada/x?expiredAt=2020-01-01T00:00:00',
      'ada',
      [400, 250105, 'Parameter [expiredAt] is invalid'],
    ],
    ['DELETE', '/ada/nothing', 'ada', [400, 250108, 'Resource [nothing] not found']],
    ['POST', '/ada/x', 'anonymous', [401, 250114, 'Failed to authenticate: Unauthorized']],
  ])('%s %s as %s', async (method, path, as, outcome) => {
    const { status, envelope } = await token(method, path, { as: as! });
    expect([status, envelope.code, envelope.message]).toEqual(outcome);
  });
});
