import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createPlatformAccount,
  createPlatformKey,
} from '../../../../src/domain/identity/platform-accounts.ts';
import { SYSTEM } from '../../../../src/domain/identity/principal.ts';
import { addToken } from '../../../../src/domain/identity/tokens.ts';
import type { Digest } from '../../../../src/domain/storage/blob-store.ts';
import { PASSWORD, RegistryStack, type User } from '../../../support/registry-stack.ts';
import { bkrepoCall, type CallOptions, dataOf, failureOf } from './bkrepo-calls.ts';

let stack: RegistryStack;
let keys: { accessKey: string; secretKey: string };
let expired: string;
let broken: { digest: string; layer: string };

beforeAll(async () => {
  stack = await RegistryStack.start();
  await stack.pushImage('apps/images/php', 'v1');
  await stack.pushImage('apps/open/php', 'v1', 'open', 'admin');
  broken = await stack.pushImage('apps/images/broken', 'v1');
  const { sql } = stack.database;
  await sql.query(`update repositories set is_public = true where name = 'open'`);
  await createPlatformAccount(stack.database, SYSTEM, 'pipelines');
  keys = await createPlatformKey(stack.database, SYSTEM, 'pipelines');
  ({ secret: expired } = await addToken(stack.database, { userName: 'ada', name: 'old' }));
  await sql.query(`update tokens set expires_at = now() where name = 'old'`);
});
afterAll(() => stack.close());

const failure = (method: string, path: string, options: CallOptions = {}) =>
  failureOf(stack, method, path, options);
const authorization = (text: string, more = {}): CallOptions => ({
  as: 'anonymous',
  headers: { authorization: text, ...more },
});
const pair = (scheme: string, name: string, secret: string, more = {}) =>
  authorization(`${scheme} ${Buffer.from(`${name}:${secret}`).toString('base64')}`, more);

const LIST = '/docker/ext/repo/apps/images?pageNumber=1&pageSize=10';
const OPEN_LIST = LIST.replace('images', 'open');
const KEY = 'packageKey=docker://php';

const NEW_PROJECT = { name: 'nobodys', displayName: 'xx', description: '' };

describe('Credentials', () => {
  test.each<[what: string, options: () => CallOptions, reason: string]>([
    ['none', () => ({ as: 'anonymous' }), 'Unauthorized'],
    ['an unknown scheme', () => authorization('Digest abc'), 'Unauthorized'],
    ['a wrong password', () => pair('Basic', 'ada', 'wrong'), 'Authorization value check failed'],
    ['an unknown user', () => pair('Basic', 'nobody', PASSWORD), 'Authorization value check failed'],
    ['no base64', () => authorization('Basic !!!'), 'Invalid authorization value.'],
    ['no pair', () => authorization('Basic YWRh'), 'Invalid authorization value.'],
    ['wrong keys', () => pair('Platform', keys.accessKey, 'x'), 'AccessKey/SecretKey check failed.'],
    ['unknown keys', () => pair('Platform', 'x\0', 'x'), 'AccessKey/SecretKey check failed.'],
    ['keys that are no base64', () => authorization('Platform !!!'), 'Invalid authorization value'],
    ['an unknown token', () => authorization('Bearer stw_x'), 'Invalid token'],
    ['an expired token', () => authorization(`Bearer ${expired}`), 'Expired token'],
  ])('%s', async (_what, options, reason) => {
    const { status, headers, envelope } = await bkrepoCall(stack, 'GET', LIST, options());
    expect([status, envelope]).toEqual([
      401,
      { code: 250114, message: `Failed to authenticate: ${reason}`, data: null, traceId: '' },
    ]);
    expect(headers.get('www-authenticate')).toBe('Basic realm="Authentication Required"');
  });

  test('wrong ones fail also where none are needed', async () => {
    expect(await failure('GET', OPEN_LIST, pair('Basic', 'ada', 'wrong'))).toEqual([
      401,
      250114,
      'Failed to authenticate: Authorization value check failed',
    ]);
  });

  test.each<[what: string, options: () => CallOptions]>([
    ['a password', () => pair('Basic', 'ada', PASSWORD)],
    ['a token as password', () => pair('Basic', 'bob', stack.authorization('bob').authorization!.slice(7))],
    ['a token', () => ({ as: 'bob' })],
    [
      'a platform for a user',
      () => pair('Platform', keys.accessKey, keys.secretKey, { 'x-bkrepo-uid': 'ada' }),
    ],
  ])('%s', async (_what, options) => {
    expect(await dataOf(stack, 'GET', LIST, options())).toMatchObject({ totalRecords: 2 });
  });

  test('a platform for nobody is not asked to log in', async () => {
    expect(await failure('GET', LIST, pair('Platform', keys.accessKey, keys.secretKey))).toEqual([
      403,
      250113,
      'Access denied: user[anonymous] does not have [READ] permission in project[apps] repo[images]',
    ]);
  });

  test('a platform makes users who are not known yet', async () => {
    const options = pair('Platform', keys.accessKey, keys.secretKey, { 'x-bkrepo-uid': 'newcomer' });
    expect((await failure('GET', LIST, options)).slice(0, 2)).toEqual([403, 250113]);
    const users = await stack.database.sql.query(
      `select password_hash, is_admin from users where name = 'newcomer'`,
    );
    expect(users).toEqual([{ password_hash: null, is_admin: false }]);
  });

  test('a platform for nobody makes no project', async () => {
    const options = { ...pair('Platform', keys.accessKey, keys.secretKey), body: NEW_PROJECT };
    expect(await failure('POST', '/repository/api/project/create', options)).toEqual([
      403,
      250113,
      'Access denied: Forbidden',
    ]);
  });

  test('a user that cannot be', async () => {
    const options = pair('Platform', keys.accessKey, keys.secretKey, { 'x-bkrepo-uid': 'x'.repeat(300) });
    expect(await failure('GET', LIST, options)).toEqual([400, 250105, 'Parameter [X-BKREPO-UID] is invalid']);
  });
});

describe('Permissions', () => {
  test.each<[as: User, method: string, path: string, outcome: number]>([
    ['anonymous', 'GET', OPEN_LIST, 0],
    ['anonymous', 'GET', '/docker/ext/manifest/apps/open/php/v1', 0],
    ['anonymous', 'GET', `/docker/ext/version/detail/apps/open?${KEY}&version=v1`, 0],
    ['anonymous', 'DELETE', `/docker/ext/package/delete/apps/open?${KEY}`, 250114],
    ['anonymous', 'GET', '/docker/ext/repo/apps/nothing?pageNumber=1&pageSize=1', 250114],
    ['eve', 'GET', OPEN_LIST, 0],
    ['eve', 'GET', LIST, 250113],
    ['bob', 'GET', LIST, 0],
    ['bob', 'DELETE', `/docker/ext/package/delete/apps/images?${KEY}`, 250113],
    ['bob', 'DELETE', `/docker/ext/version/delete/apps/images?${KEY}&version=v1`, 250113],
    ['bob', 'DELETE', '/docker/api/repo/apps/images/php', 250113],
    ['bob', 'POST', `/repository/api/stage/upgrade/apps/images?${KEY}&version=v1`, 250113],
  ])('%s: %s %s', async (as, method, path, outcome) => {
    expect((await bkrepoCall(stack, method, path, { as })).envelope.code).toBe(outcome);
  });

  test.each([
    ['eve', 'GET', '/docker/ext/manifest/apps/images/php/v1', 'READ'],
    ['eve', 'GET', `/docker/ext/layer/apps/images/php/${'0'.repeat(64)}`, 'READ'],
    ['bob', 'DELETE', `/docker/ext/package/delete/apps/images?${KEY}`, 'WRITE'],
  ] as const)('the text for %s: %s %s', async (as, method, path, permission) => {
    expect(await failure(method, path, { as })).toEqual([
      403,
      250113,
      `Access denied: user[${as}] does not have [${permission}] permission in project[apps] repo[images]`,
    ]);
  });
});

/** Every call with a repository in its path, as its owner would make it. */
const CALLS: [method: string, path: string][] = [
  ['GET', '/docker/ext/manifest/P/R/php/v1'],
  ['GET', '/docker/api/manifest/P/R/php/v1'],
  ['GET', `/docker/ext/layer/P/R/php/sha256:${'0'.repeat(64)}`],
  ['GET', `/docker/api/layer/P/R/php/sha256:${'0'.repeat(64)}`],
  ['GET', '/docker/ext/repo/P/R?pageNumber=1&pageSize=1'],
  ['GET', '/docker/api/repo/P/R?pageNumber=1&pageSize=1'],
  ['GET', '/docker/ext/tag/P/R/php?pageNumber=1&pageSize=1'],
  ['GET', '/docker/api/tag/P/R/php'],
  ['DELETE', `/docker/ext/package/delete/P/R?${KEY}`],
  ['DELETE', '/docker/api/repo/P/R/php'],
  ['DELETE', `/docker/ext/version/delete/P/R?${KEY}&version=v1`],
  ['DELETE', '/docker/api/tag/P/R/php/v1'],
  ['GET', `/docker/ext/version/detail/P/R?${KEY}&version=v1`],
  ['GET', '/docker/api/tag/detail/P/R/php'],
  ['GET', '/repository/api/repo/info/P/R'],
  ['GET', '/repository/api/repo/quota/P/R'],
  ['POST', '/repository/api/repo/quota/P/R?quota=1'],
  ['DELETE', '/repository/api/repo/delete/P/R'],
  ['GET', '/repository/api/package/page/P/R'],
  ['GET', `/repository/api/package/info/P/R?${KEY}`],
  ['GET', `/repository/api/version/page/P/R?${KEY}`],
  ['GET', `/repository/api/stage/P/R?${KEY}&version=v1`],
  ['POST', `/repository/api/stage/upgrade/P/R?${KEY}&version=v1`],
];

describe('Unknown repositories', () => {
  test.each(CALLS)('%s %s', async (method, path) => {
    for (const [project, repository] of [
      ['apps', 'nothing'],
      ['nothing', 'images'],
    ] as const) {
      const asked = path.replace('/P/R', `/${project}/${repository}`);
      expect(await failure(method, asked, { as: 'admin' })).toEqual([
        404,
        251006,
        `Repository [${repository}] not found`,
      ]);
      expect((await failure(method, asked, { as: 'anonymous' })).slice(0, 2)).toEqual([401, 250114]);
    }
  });
});

describe('Parameters', () => {
  test.each<[method: string, path: string, code: number, parameter: string]>([
    ['GET', '/docker/ext/repo/apps/images?pageSize=1', 250103, 'pageNumber'],
    ['GET', '/docker/ext/repo/apps/images?pageNumber=1', 250103, 'pageSize'],
    ['GET', '/docker/api/repo/apps/images?pageNumber=1', 250103, 'pageSize'],
    ['GET', '/docker/ext/tag/apps/images/php?pageSize=1', 250103, 'pageNumber'],
    ['GET', '/docker/ext/tag/apps/images/php?pageNumber=1', 250103, 'pageSize'],
    ['GET', '/docker/ext/repo/apps/images?pageNumber=-1&pageSize=1', 250105, 'pageNumber'],
    ['GET', '/docker/ext/repo/apps/images?pageNumber=x&pageSize=1', 250105, 'pageNumber'],
    ['GET', '/docker/ext/repo/apps/images?pageNumber=1.5&pageSize=1', 250105, 'pageNumber'],
    ['GET', '/docker/ext/repo/apps/images?pageNumber=&pageSize=1', 250105, 'pageNumber'],
    ['GET', '/docker/ext/repo/apps/images?pageNumber=1&pageSize=0', 250105, 'pageSize'],
    ['GET', '/docker/ext/repo/apps/images?pageNumber=1&pageSize=2147483648', 250105, 'pageSize'],
    ['GET', '/docker/ext/repo/apps/images?pageNumber=1&pageSize=99999999999999999999', 250105, 'pageSize'],
    ['GET', '/docker/ext/repo/apps/images?pageNumber=1&pageSize=1&name=a%00', 250105, 'name'],
    ['GET', '/docker/ext/repo/apps/ima%00ges?pageNumber=1&pageSize=1', 250105, 'repoName'],
    ['GET', '/docker/ext/manifest/apps/images/p%00hp/v1', 250105, 'name'],
    ['DELETE', '/docker/ext/package/delete/apps/images', 250103, 'packageKey'],
    ['DELETE', '/docker/ext/package/delete/apps/images?packageKey=', 250105, 'packageKey'],
    ['DELETE', '/docker/ext/package/delete/apps/images?packageKey=docker://', 250105, 'packageKey'],
    ['DELETE', '/docker/ext/version/delete/apps/images?version=v1', 250103, 'packageKey'],
    ['DELETE', `/docker/ext/version/delete/apps/images?${KEY}`, 250103, 'version'],
    ['GET', '/docker/ext/version/detail/apps/images?version=v1', 250103, 'packageKey'],
    ['GET', `/docker/ext/version/detail/apps/images?${KEY}`, 250103, 'version'],
    ['GET', '/docker/ext/layer/apps/images/php/latest', 250105, 'Id'],
    ['GET', `/docker/ext/layer/apps/images/php/sha256:${'A'.repeat(64)}`, 250105, 'Id'],
    ['GET', `/docker/ext/layer/apps/images/php/md5:${'a'.repeat(32)}`, 250105, 'Id'],
    ['GET', '/repository/api/repo/page/apps/0/0', 250105, 'pageSize'],
    ['POST', '/repository/api/repo/quota/apps/images', 250103, 'quota'],
    ['POST', '/repository/api/repo/quota/apps/images?quota=-1', 250105, 'quota'],
    ['POST', '/repository/api/stage/upgrade/apps/images?version=v1', 250103, 'packageKey'],
    ['DELETE', '/repository/api/repo/delete/apps/images?forced=maybe', 250105, 'forced'],
  ])('%s %s', async (method, path, code, parameter) => {
    const text = code === 250103 ? 'missing' : 'invalid';
    expect(await failure(method, path, { as: 'olga' })).toEqual([
      400,
      code,
      `Parameter [${parameter}] is ${text}`,
    ]);
  });

  test.each<[method: string, path: string, code: number]>([
    ['GET', '/docker/ext/repo/apps/images', 250114],
    ['GET', '/docker/ext/repo/apps/nothing', 250114],
    ['GET', '/docker/ext/repo/apps/open', 250103],
    ['DELETE', '/docker/ext/package/delete/apps/open', 250114],
    ['POST', '/repository/api/project/create', 250114],
  ])('but a login comes first: %s %s', async (method, path, code) => {
    expect((await failure(method, path, { as: 'anonymous' }))[1]).toBe(code);
  });

  test('are looked at before the repository is', async () => {
    expect((await failure('GET', '/docker/ext/repo/apps/nothing?pageSize=1'))[1]).toBe(250103);
  });
});

describe('Bytes that are not in the store', () => {
  test.each([
    ['of a layer', () => `/docker/ext/layer/apps/images/broken/${broken.layer}`],
    ['of a manifest', () => '/docker/ext/manifest/apps/images/broken/v1'],
  ])('%s', async (_what, path) => {
    await stack.blobs.delete(broken.layer as Digest);
    await stack.blobs.delete(broken.digest as Digest);
    // A gateway that has not seen them yet.
    const { url } = await stack.addGateway();
    const response = await fetch(`${url}${path()}`, { headers: stack.authorization('ada') });
    const { code, message } = (await response.json()) as { code: number; message: string };
    expect([response.status, code, message]).toEqual([404, 251024, 'Artifact file data not found']);
  });
});

describe('Calls that there are not', () => {
  test.each([
    ['GET', '/docker/ext', '/docker/ext'],
    ['GET', '/docker/ext/nothing?a=b', '/docker/ext/nothing'],
    ['GET', '/docker/api/addr', '/docker/api/addr'],
    ['GET', '/repository/api/x', '/repository/api/x'],
    ['GET', '/docker/ext/manifest/apps/images/php', '/docker/ext/manifest/apps/images/php'],
    ['GET', '/docker/ext/tag/apps/images/?pageNumber=1&pageSize=1', '/docker/ext/tag/apps/images/'],
    ['DELETE', '/docker/api/repo/apps/images/', '/docker/api/repo/apps/images/'],
    ['GET', '/docker', '/docker'],
    ['GET', '/docker/extra', '/docker/extra'],
  ])('%s %s', async (method, path, shown) => {
    expect(await failure(method, path)).toEqual([404, 250130, `Request url[${shown}] not found`]);
  });

  test.each([
    ['POST', '/docker/ext/addr', 'GET, HEAD'],
    ['PUT', '/docker/ext/repo/apps/images', 'GET, HEAD'],
    ['GET', '/docker/ext/package/delete/apps/images', 'DELETE'],
    ['POST', '/docker/api/tag/apps/images/php', 'GET, HEAD, DELETE'],
  ])('%s %s', async (method, path, allow) => {
    const { status, headers, envelope } = await bkrepoCall(stack, method, path);
    expect([status, envelope.code, envelope.message, headers.get('allow')]).toEqual([
      405,
      250112,
      `Method not allowed, reason: Request method '${method}' not supported`,
      allow,
    ]);
  });

  test.each(['/docker/ext/repo/%ff/x', '/docker/%ff'])('a path that cannot be decoded: %s', async (path) => {
    expect(await failure('GET', path)).toEqual([400, 250106, 'Invalid request content']);
  });

  test.each(['/dockers', '/docker/v2', '/docker/v2/', '/docker/v2/%ff', '/docker/v2/nothing'])(
    '%s is no call of this API',
    async (path) => {
      expect((await bkrepoCall(stack, 'GET', path)).envelope?.traceId).toBeUndefined();
    },
  );
});

describe('Languages', () => {
  test.each([
    [undefined, 'Repository [nothing] not found'],
    ['en', 'Repository [nothing] not found'],
    ['fr, ja;q=0.5', 'Repository [nothing] not found'],
    ['zh-CN', '仓库[nothing]不存在'],
    ['zh_CN', '仓库[nothing]不存在'],
    ['fr, zh;q=0.9, en;q=0.8', '仓库[nothing]不存在'],
    ['en, zh;q=0.9', 'Repository [nothing] not found'],
    ['zh;q=0', 'Repository [nothing] not found'],
  ])('%s', async (language, message) => {
    const headers = language === undefined ? {} : { 'accept-language': language };
    expect((await failure('GET', '/docker/api/tag/apps/nothing/php', { headers }))[2]).toBe(message);
  });

  test.each<[path: string, as: User, message: string]>([
    ['/docker/ext/repo/apps/images?pageSize=1', 'ada', '参数[pageNumber]缺失'],
    ['/docker/ext/repo/apps/images?pageNumber=x&pageSize=1', 'ada', '参数[pageNumber]无效'],
    [LIST, 'eve', '访问被拒绝: user[eve] does not have [READ] permission in project[apps] repo[images]'],
    [LIST, 'anonymous', '认证失败: Unauthorized'],
  ])('%s as %s', async (path, as, message) => {
    expect((await failure('GET', path, { as, headers: { 'accept-language': 'zh-CN' } }))[2]).toBe(message);
  });
});

describe('Traces', () => {
  test.each([
    ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', '4bf92f3577b34da6a3ce929d0e0e4736'],
    ['00-00000000000000000000000000000000-00f067aa0ba902b7-01', ''],
    ['nonsense', ''],
  ])('%s', async (traceparent, traceId) => {
    const { envelope } = await bkrepoCall(stack, 'GET', LIST, { headers: { traceparent } });
    expect(envelope.traceId).toBe(traceId);
  });
});
