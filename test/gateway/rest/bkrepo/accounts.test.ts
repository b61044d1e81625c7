import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RegistryStack } from '../../../support/registry-stack.ts';
import { bkrepoCall, type CallOptions, dataOf, failureOf } from './bkrepo-calls.ts';

let stack: RegistryStack;
const DATE = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/);
const ADMIN = { as: 'admin' } as const;
const LIST = '/docker/ext/repo/apps/images?pageNumber=1&pageSize=1';

beforeAll(async () => {
  stack = await RegistryStack.start();
  await stack.pushImage('apps/images/php', 'v1');
});
afterAll(() => stack.close());

const data = (method: string, path: string, options: CallOptions = {}) =>
  // biome-ignore lint/suspicious/noExplicitAny: whatever the test expects.
  dataOf(stack, method, `/auth/api${path}`, options) as Promise<any>;
const failure = (method: string, path: string, options: CallOptions = {}) =>
  failureOf(stack, method, `/auth/api${path}`, options);
const credentials = (scheme: string, name: string, secret: string, more = {}): CallOptions => ({
  as: 'anonymous',
  headers: { authorization: `${scheme} ${Buffer.from(`${name}:${secret}`).toString('base64')}`, ...more },
});
const codeOf = async (method: string, path: string, options: CallOptions) =>
  (await bkrepoCall(stack, method, path, options)).envelope.code;

describe('Users', () => {
  const user = { userId: 'nora', name: 'Nora', pwd: 'a long secret', group: false, asstUsers: [] };

  test('log in with what they were made with', async () => {
    expect(await data('POST', '/user/create', { ...ADMIN, body: user })).toBe(true);
    const nora = credentials('Basic', 'nora', 'a long secret');
    expect(await codeOf('GET', LIST, nora)).toBe(250113);
    expect(await failure('POST', '/user/create', { ...ADMIN, body: user })).toEqual([
      400,
      250107,
      'Resource [nora] existed',
    ]);
  });

  test('own the project, or the one repository', async () => {
    const owner = { ...user, userId: 'petra', projectId: 'apps' };
    expect(await data('POST', '/user/create/project', { ...ADMIN, body: owner })).toBe(true);
    const petra = credentials('Basic', 'petra', user.pwd);
    const quota = (repository: string) => `/repository/api/repo/quota/apps/${repository}?quota=1000000`;
    expect(await codeOf('POST', quota('images'), petra)).toBe(0);
    const body = { projectId: 'apps', name: 'single', type: 'DOCKER' };
    expect(await codeOf('POST', '/repository/api/repo/create', { ...petra, body })).toBe(0);

    const single = { ...owner, userId: 'rita', repoName: 'single' };
    expect(await data('POST', '/user/create/repo', { ...ADMIN, body: single })).toBe(true);
    const rita = credentials('Basic', 'rita', user.pwd);
    expect(await codeOf('POST', quota('single'), rita)).toBe(0);
    expect(await codeOf('POST', quota('images'), rita)).toBe(250113);
  });

  test.each<[what: string, path: string, change: object, outcome: unknown[]]>([
    ['no id', '/user/create', { userId: null }, [400, 250103, 'Parameter [userId] is missing']],
    ['no name', '/user/create', { name: null }, [400, 250103, 'Parameter [name] is missing']],
    ['no password', '/user/create', { pwd: null }, [400, 250103, 'Parameter [pwd] is missing']],
    ['a short password', '/user/create', { pwd: 'short' }, [400, 250105, 'Parameter [pwd] is invalid']],
    ['a bad id', '/user/create', { userId: '-x' }, [400, 250105, 'Parameter [userId] is invalid']],
    ['no flag', '/user/create', { admin: 'yes' }, [400, 250105, 'Parameter [admin] is invalid']],
    ['no project', '/user/create/project', {}, [400, 250103, 'Parameter [projectId] is missing']],
    [
      'an unknown project',
      '/user/create/project',
      { projectId: 'nothing' },
      [400, 251004, 'Project [nothing] not found'],
    ],
    [
      'an unknown repository',
      '/user/create/repo',
      { projectId: 'apps', repoName: 'nothing' },
      [404, 251006, 'Repository [nothing] not found'],
    ],
  ])('%s', async (_what, path, change, outcome) => {
    const body = { ...user, userId: 'half', ...change };
    expect(await failure('POST', path, { ...ADMIN, body })).toEqual(outcome);
    expect(await stack.database.sql.query(`select from users where name = 'half'`)).toEqual([]);
  });
});

describe('Permissions', () => {
  const permission = (change: object) => ({
    body: { permName: 'p', projectId: 'apps', resourceType: 'PROJECT', includePattern: [], ...change },
  });
  const role = async (name: string) => {
    const [row] = await stack.database.sql.query<{ role: string }>(
      `select m.role from project_members m join users u on u.id = m.user_id where u.name = $1`,
      [name],
    );
    return row?.role ?? null;
  };

  test('raise roles in the project, and lower none', async () => {
    const owner = { as: 'olga' } as const;
    const users = { users: ['eve', 'ada'], actions: ['READ'] };
    expect(await data('POST', '/permission/create', { ...owner, ...permission(users) })).toBe(true);
    expect([await role('eve'), await role('ada')]).toEqual(['viewer', 'developer']);
    const more = { users: [{ id: 'eve', action: ['WRITE', 'READ'] }] };
    await data('POST', '/permission/create', { ...owner, ...permission(more) });
    expect(await role('eve')).toBe('developer');
    await stack.database.sql.query(
      `delete from project_members where user_id = (select id from users where name = 'eve')`,
    );
  });

  test('in repositories', async () => {
    expect(await codeOf('GET', LIST, { as: 'eve' })).toBe(250113);
    const change = { resourceType: null, repos: ['images'], users: ['eve'], actions: ['READ'] };
    await data('POST', '/permission/create', { as: 'olga', ...permission(change) });
    expect(await codeOf('GET', LIST, { as: 'eve' })).toBe(0);
    expect(await codeOf('DELETE', '/docker/api/repo/apps/images/nothing', { as: 'eve' })).toBe(250113);
  });

  test.each<[what: string, change: object, outcome: unknown[]]>([
    ['nobody', { users: [], actions: ['READ'] }, [400, 250103, 'Parameter [users] is missing']],
    ['nothing', { users: ['bob'] }, [400, 250103, 'Parameter [actions] is missing']],
    [
      'an unknown action',
      { users: ['bob'], actions: ['FLY'] },
      [400, 250105, 'Parameter [actions] is invalid'],
    ],
    [
      'roles',
      { users: ['bob'], actions: ['READ'], roles: ['x'] },
      [400, 250105, 'Parameter [roles] is invalid'],
    ],
    ['no user', { users: [5] }, [400, 250105, 'Parameter [users] is invalid']],
    [
      'no repository',
      { resourceType: 'REPO', users: ['bob'], actions: ['READ'] },
      [400, 250103, 'Parameter [repos] is missing'],
    ],
    [
      'an unknown repository',
      { resourceType: 'REPO', repos: ['images', 'none'], users: ['bob'], actions: ['MANAGE'] },
      [404, 251006, 'Repository [none] not found'],
    ],
    [
      'an unknown user among others',
      { users: ['bob', 'none'], actions: ['MANAGE'] },
      [400, 250108, 'Resource [none] not found'],
    ],
    [
      'the system',
      { resourceType: 'SYSTEM', users: ['bob'], actions: ['READ'] },
      [400, 250105, 'Parameter [resourceType] is invalid'],
    ],
  ])('for %s', async (_what, change, outcome) => {
    expect(await failure('POST', '/permission/create', { as: 'olga', ...permission(change) })).toEqual(
      outcome,
    );
    expect(await role('bob')).toBe('viewer');
  });

  test('are given by owners', async () => {
    const change = { users: ['ada'], actions: ['MANAGE'] };
    expect(await failure('POST', '/permission/create', permission(change))).toEqual([
      403,
      250113,
      'Access denied: user[ada] does not have [MANAGE] permission in project[apps]',
    ]);
  });
});

describe('Accounts', () => {
  const works = async (keys: { accessKey: string; secretKey: string }) =>
    await codeOf(
      'GET',
      LIST,
      credentials('Platform', keys.accessKey, keys.secretKey, { 'x-bkrepo-uid': 'ada' }),
    );

  test('from create to delete', async () => {
    const account = await data('POST', '/account/create', { ...ADMIN, body: { appId: 'ci', locked: false } });
    const [first] = account.credentials;
    expect(account).toEqual({
      appId: 'ci',
      locked: false,
      credentials: [
        {
          accessKey: expect.stringMatching(/^[\da-f]{32}$/),
          secretKey: expect.stringMatching(/^.{32}$/),
          createdAt: DATE,
          status: 'ENABLE',
        },
      ],
    });
    expect(await works(first)).toBe(0);
    const hidden = { ...first, secretKey: '' };
    expect(await data('GET', '/account/list', ADMIN)).toEqual([{ ...account, credentials: [hidden] }]);

    const two = await data('POST', '/account/credential/ci', ADMIN);
    expect(two).toEqual([hidden, { ...first, ...two[1] }]);
    expect(await works(two[1])).toBe(0);
    expect(await data('DELETE', `/account/credential/ci/${first.accessKey}`, ADMIN)).toEqual([
      { ...two[1], secretKey: '' },
    ]);
    expect([await works(first), await works(two[1])]).toEqual([250114, 0]);
    expect(await data('GET', '/account/credential/list/ci', ADMIN)).toHaveLength(1);

    expect(await data('DELETE', '/account/delete/ci', ADMIN)).toBe(true);
    expect(await works(two[1])).toBe(250114);
    expect(await data('GET', '/account/list', ADMIN)).toEqual([]);
  });

  test.each<[method: string, path: string, body: object | undefined, outcome: unknown[]]>([
    ['POST', '/account/create', {}, [400, 250103, 'Parameter [appId] is missing']],
    ['POST', '/account/create', { appId: 'a b' }, [400, 250105, 'Parameter [appId] is invalid']],
    ['POST', '/account/create', { appId: 'x', locked: true }, [400, 250105, 'Parameter [locked] is invalid']],
    ['POST', '/account/credential/none', undefined, [400, 250108, 'Resource [none] not found']],
    ['GET', '/account/credential/list/none', undefined, [400, 250108, 'Resource [none] not found']],
    ['DELETE', '/account/credential/none/key', undefined, [400, 250108, 'Resource [key] not found']],
    ['DELETE', '/account/delete/none', undefined, [400, 250108, 'Resource [none] not found']],
  ])('%s %s %j', async (method, path, body, outcome) => {
    expect(await failure(method, path, { ...ADMIN, ...(body && { body }) })).toEqual(outcome);
  });

  test('one that is there', async () => {
    await data('POST', '/account/create', { ...ADMIN, body: { appId: 'twice' } });
    expect(await failure('POST', '/account/create', { ...ADMIN, body: { appId: 'twice' } })).toEqual([
      400,
      250107,
      'Resource [twice] existed',
    ]);
  });
});

test.each<[method: string, path: string, body?: object]>([
  ['POST', '/user/create', { userId: 'x', name: 'x', pwd: 'a long secret' }],
  ['POST', '/user/create/project', { userId: 'x', name: 'x', pwd: 'a long secret', projectId: 'apps' }],
  ['POST', '/account/create', { appId: 'x' }],
  ['GET', '/account/list'],
  ['DELETE', '/account/delete/twice'],
  ['GET', '/account/credential/list/twice'],
  ['POST', '/account/credential/twice'],
  ['DELETE', '/account/credential/twice/x'],
])('%s %s is for administrators', async (method, path, body) => {
  const options = body ? { body } : {};
  expect((await failure(method, path, { as: 'olga', ...options })).slice(0, 2)).toEqual([403, 250113]);
  expect((await failure(method, path, { as: 'anonymous', ...options })).slice(0, 2)).toEqual([401, 250114]);
});
