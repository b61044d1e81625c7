import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addToken } from '../../../src/domain/identity/tokens.ts';
import { PASSWORD, RegistryStack, sha256, type User } from '../../support/registry-stack.ts';

let stack: RegistryStack;
let digest: string;
const NAME = 'apps/images/private';

beforeAll(async () => {
  stack = await RegistryStack.start();
  ({ digest } = await stack.pushImage(NAME, 'v1'));
  await stack.pushImage('apps/open/image', 'v1', 'open', 'admin');
  await stack.database.sql.query(`update repositories set is_public = true where name = 'open'`);
});
afterAll(() => stack.close());

const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function tokenFor(scope: string, headers = basic('ada', PASSWORD)): Promise<string> {
  const answer = await stack.call('GET', `/v2/auth?service=bkrepo&scope=${encodeURIComponent(scope)}`, {
    as: 'anonymous',
    headers,
  });
  expect(answer.status).toBe(200);
  return answer.json().token;
}

describe('GET /v2/', () => {
  test.each(['/v2/', '/v2', '/docker/v2/'])('%s without credentials', async (path) => {
    const answer = await stack.call('GET', path, { as: 'anonymous' });
    expect([answer.status, answer.codes()]).toEqual([401, ['UNAUTHORIZED']]);
    const realm = `${stack.url}${path.startsWith('/docker') ? '/docker' : ''}/v2/auth`;
    expect(answer.headers.get('www-authenticate')).toBe(`Bearer realm="${realm}",service="bkrepo"`);
    expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
  });

  test.each([
    ['a password', () => basic('ada', PASSWORD)],
    ['a token as password', () => basic('ada', stack.authorization('ada').authorization!.slice(7))],
    ['a Stowage token', () => stack.authorization('ada')],
    ['a token of the registry', async () => bearer(await tokenFor(''))],
  ])('with %s', async (_what, headers) => {
    const answer = await stack.call('GET', '/v2/', { as: 'anonymous', headers: await headers() });
    expect([answer.status, answer.json()]).toEqual([200, {}]);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
  });

  test.each([
    ['a wrong password', () => basic('ada', 'wrong')],
    ['an unknown user', () => basic('nobody', PASSWORD)],
    ['no user at all', () => ({ authorization: 'Basic !!!' })],
    ['another scheme', () => ({ authorization: 'Negotiate abc' })],
    ['an unknown token', () => bearer('stw_unknown')],
    [
      'an anonymous token',
      async () => bearer((await stack.call('GET', '/v2/auth', { as: 'anonymous' })).json().token),
    ],
  ])('with %s', async (_what, headers) => {
    const answer = await stack.call('GET', '/v2/', { as: 'anonymous', headers: await headers() });
    expect([answer.status, answer.codes()]).toEqual([401, ['UNAUTHORIZED']]);
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm=/);
  });
});

describe('challenges carry the scope that is needed', () => {
  test.each([
    ['GET', `/v2/${NAME}/manifests/v1`, `repository:${NAME}:pull`],
    ['HEAD', `/v2/${NAME}/blobs/${sha256('x')}`, `repository:${NAME}:pull`],
    ['GET', '/v2/private/tags/list', 'repository:private:pull'],
    ['GET', `/v2/${NAME}/referrers/${sha256('x')}`, `repository:${NAME}:pull`],
    ['POST', `/v2/${NAME}/blobs/uploads/`, `repository:${NAME}:pull,push`],
    ['PUT', `/v2/${NAME}/manifests/v1`, `repository:${NAME}:pull,push`],
    [
      'PATCH',
      `/v2/${NAME}/blobs/uploads/00000000-0000-4000-8000-000000000000`,
      `repository:${NAME}:pull,push`,
    ],
    ['DELETE', `/v2/${NAME}/manifests/v1`, `repository:${NAME}:delete`],
    ['DELETE', `/v2/${NAME}/blobs/${sha256('x')}`, `repository:${NAME}:delete`],
    ['GET', '/v2/no/such/image/tags/list', 'repository:no/such/image:pull'],
  ])('%s %s', async (method, path, scope) => {
    const answer = await stack.call(method, path, {
      as: 'anonymous',
      ...(method === 'PUT' && { body: '{}' }),
    });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe(
      `Bearer realm="${stack.url}/v2/auth",service="bkrepo",scope="${scope}"`,
    );
  });
});

describe('tokens', () => {
  test.each(['/v2/auth', '/v2/token', '/docker/v2/auth', '/docker/v2/token'])('%s', async (path) => {
    const query = `service=bkrepo&account=ada&client_id=docker&scope=repository:${NAME}:pull,push`;
    const answer = await stack.call('GET', `${path}?${query}`, {
      as: 'anonymous',
      headers: basic('ada', PASSWORD),
    });
    expect(answer.status).toBe(200);
    const body = answer.json();
    expect(Object.keys(body).sort()).toEqual(['access_token', 'expires_in', 'issued_at', 'scope', 'token']);
    expect(body.access_token).toBe(body.token);
    expect(body.expires_in).toBe(3600);
    expect(body.scope).toBe(`repository:${NAME}:pull,push`);
    expect(body.issued_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    const read = await stack.call('GET', `/v2/${NAME}/manifests/v1`, {
      as: 'anonymous',
      headers: bearer(body.token),
    });
    expect(read.status).toBe(200);
  });

  test.each<[User, string, string]>([
    ['ada', `repository:${NAME}:pull,push,delete`, `repository:${NAME}:pull,push,delete`],
    ['ada', `repository:${NAME}:*`, `repository:${NAME}:pull,push,delete`],
    ['bob', `repository:${NAME}:pull,push`, `repository:${NAME}:pull`],
    ['eve', `repository:${NAME}:pull`, ''],
    ['eve', 'repository:apps/open/image:pull,push', 'repository:apps/open/image:pull'],
    [
      'ada',
      `repository:${NAME}:pull repository:apps/open/image:pull,push`,
      `repository:${NAME}:pull repository:apps/open/image:pull,push`,
    ],
    ['ada', 'registry:catalog:*', 'registry:catalog:*'],
    ['ada', 'repository(plugin):private:pull', 'repository:private:pull'],
    ['ada', 'nonsense', ''],
    ['ada', 'repository:Not/A/Name:pull', ''],
    ['olga', 'repository:apps/fresh/image:pull,push', 'repository:apps/fresh/image:pull,push'],
  ])('%s asks for %s', async (as, scope, granted) => {
    const answer = await stack.call('GET', `/v2/auth?scope=${encodeURIComponent(scope)}`, { as });
    expect([answer.status, answer.json().scope]).toEqual([200, granted]);
  });

  test('a token is good for what it was given for, and no more', async () => {
    const headers = bearer(await tokenFor(`repository:${NAME}:pull`));
    const call = (method: string, path: string, body?: string) =>
      stack.call(method, path, { as: 'anonymous', headers, ...(body !== undefined && { body }) });
    expect((await call('GET', `/v2/${NAME}/manifests/v1`)).status).toBe(200);
    expect((await call('GET', '/v2/apps/private/manifests/v1')).status).toBe(200);
    expect((await call('GET', '/v2/apps/images/other/manifests/v1')).status).toBe(401);
    const push = await call('POST', `/v2/${NAME}/blobs/uploads/`);
    expect([push.status, push.codes()]).toEqual([401, ['UNAUTHORIZED']]);
    expect(push.headers.get('www-authenticate')).toMatch(
      /,scope="repository:apps\/images\/private:pull,push",error="insufficient_scope"$/,
    );
    expect((await call('GET', '/v2/_catalog')).status).toBe(401);
    expect((await call('GET', '/v2/apps/open/image/manifests/v1')).status).toBe(200);
  });

  test('a right that is taken away ends at once', async () => {
    const headers = bearer(await tokenFor(`repository:${NAME}:pull`));
    const read = () => stack.call('GET', `/v2/${NAME}/manifests/v1`, { as: 'anonymous', headers });
    expect((await read()).status).toBe(200);
    await stack.database.sql.query(
      `delete from project_members pm using users u where u.id = pm.user_id and u.name = 'ada'`,
    );
    const answer = await read();
    expect([answer.status, answer.codes()]).toEqual([403, ['DENIED']]);
    await stack.database.sql.query(
      `insert into project_members (project_id, user_id, role)
       select p.id, u.id, 'developer' from projects p, users u where p.name = 'apps' and u.name = 'ada'`,
    );
    expect((await read()).status).toBe(200);
  });

  test('a token ends with the Stowage token that it was got with', async () => {
    const { secret } = await addToken(stack.database, { userName: 'ada', name: 'short', scopes: ['read'] });
    const headers = bearer(await tokenFor(`repository:${NAME}:pull,push`, basic('ada', secret)));
    const read = () => stack.call('GET', `/v2/${NAME}/manifests/v1`, { as: 'anonymous', headers });
    expect((await read()).status).toBe(200);
    const push = await stack.call('POST', `/v2/${NAME}/blobs/uploads/`, { as: 'anonymous', headers });
    expect([push.status, push.codes()]).toEqual([403, ['DENIED']]);
    await stack.database.sql.query(`delete from tokens where name = 'short'`);
    expect((await read()).status).toBe(401);
  });

  test('forged, altered and expired tokens are refused', async () => {
    const token = await tokenFor(`repository:${NAME}:pull`);
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const own = (body: string) =>
      createHmac('sha256', 'guess').update(`${header}.${body}`).digest('base64url');
    const [row] = await stack.database.sql.query<{ secret: Buffer }>('select secret from shared_secrets');
    const late = encode({ ...claims, exp: 1 });
    const right = createHmac('sha256', row!.secret).update(`${header}.${late}`).digest('base64url');
    for (const forged of [
      `${header}.${encode({ ...claims, uid: 1, sub: 'admin' })}.${signature}`,
      `${header}.${payload}.${own(payload)}`,
      `${header}.${payload}.`,
      `${header}.${payload}`,
      `${header}.${payload}.${signature}.x`,
      `${encode({ alg: 'none', typ: 'JWT' })}.${payload}.`,
      `${header}.${late}.${right}`,
    ]) {
      const answer = await stack.call('GET', `/v2/${NAME}/manifests/v1`, {
        as: 'anonymous',
        headers: bearer(forged),
      });
      expect([answer.status, answer.codes()]).toEqual([401, ['UNAUTHORIZED']]);
    }
  });

  test('wrong credentials at the realm', async () => {
    for (const headers of [basic('ada', 'wrong'), basic('nobody', 'wrong')]) {
      const answer = await stack.call('GET', '/v2/auth', { as: 'anonymous', headers });
      expect([answer.status, answer.codes()]).toEqual([401, ['UNAUTHORIZED']]);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    }
  });

  test('without credentials: what anybody may read, or nothing', async () => {
    const ask = (scope: string) => stack.call('GET', `/v2/auth?scope=${scope}`, { as: 'anonymous' });
    const answer = await ask('repository:apps/open/image:pull');
    expect(answer.status).toBe(200);
    const headers = bearer(answer.json().token);
    expect(
      (await stack.call('GET', '/v2/apps/open/image/manifests/v1', { as: 'anonymous', headers })).status,
    ).toBe(200);
    expect((await stack.call('GET', `/v2/${NAME}/manifests/v1`, { as: 'anonymous', headers })).status).toBe(
      401,
    );
    expect((await ask(`repository:${NAME}:pull`)).status).toBe(401);
    expect((await ask('repository:apps/open/image:pull,push')).status).toBe(401);
  });
});

describe('the form of OAuth2', () => {
  const post = (form: Record<string, string>) =>
    stack.call('POST', '/v2/token', {
      as: 'anonymous',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form).toString(),
    });
  const password = {
    grant_type: 'password',
    service: 'bkrepo',
    client_id: 'docker',
    username: 'ada',
    password: PASSWORD,
  };

  test('no refresh token for a token that is good for less', async () => {
    const scope = `repository:${NAME}:pull`;
    const token = await tokenFor(scope);
    const path = `/v2/token?offline_token=true&scope=${scope},push`;
    const asked = await stack.call('GET', path, { as: 'anonymous', headers: bearer(token) });
    const posted = await post({
      ...password,
      password: token,
      scope: `${scope},push`,
      access_type: 'offline',
    });
    for (const answer of [asked, posted]) {
      expect(answer.json()).toMatchObject({ scope, token: expect.any(String) });
      expect(answer.json()).not.toHaveProperty('refresh_token');
    }
  });

  test('a password, and then the refresh token', async () => {
    const scope = `repository:${NAME}:pull`;
    const first = (await post({ ...password, scope, access_type: 'offline' })).json();
    expect(first).toMatchObject({ scope, expires_in: 3600, token: first.access_token });
    expect(first.refresh_token).toMatch(/^stwr_/);
    const second = await post({
      grant_type: 'refresh_token',
      refresh_token: first.refresh_token,
      scope,
      service: 'bkrepo',
    });
    expect(second.status).toBe(200);
    const headers = bearer(second.json().access_token);
    expect((await stack.call('GET', `/v2/${NAME}/manifests/v1`, { as: 'anonymous', headers })).status).toBe(
      200,
    );
    await stack.database.sql
      .query(`update users set password_hash = 'changed' where name = 'ada'`)
      .then(async () => {
        const late = await post({ grant_type: 'refresh_token', refresh_token: first.refresh_token, scope });
        expect([late.status, late.codes()]).toEqual([401, ['UNAUTHORIZED']]);
      });
  });

  test.each([
    [{ ...password, password: 'wrong' }, 401],
    [{ grant_type: 'refresh_token', refresh_token: 'stwr_unknown' }, 401],
    [{ grant_type: 'refresh_token' }, 401],
    [{ grant_type: 'magic' }, 400],
    [{}, 400],
    [{ ...password, scope: 'x'.repeat(100_000) }, 413],
  ])('%j', async (form, status) => {
    expect((await post(form)).status).toBe(status);
  });
});

describe('rights', () => {
  const calls: [string, string, string?][] = [
    ['GET', `/v2/${NAME}/manifests/v1`],
    ['POST', `/v2/${NAME}/blobs/uploads/?digest=${sha256('r')}`, 'r'],
    ['DELETE', `/v2/${NAME}/blobs/${sha256('r')}`],
  ];

  test.each<[User, number[]]>([
    ['admin', [200, 201, 202]],
    ['olga', [200, 201, 202]],
    ['ada', [200, 201, 202]],
    ['bob', [200, 403, 403]],
    ['eve', [403, 403, 403]],
    ['anonymous', [401, 401, 401]],
  ])('%s', async (as, expected) => {
    const statuses: number[] = [];
    for (const [method, path, body] of calls) {
      statuses.push((await stack.call(method, path, { as, ...(body !== undefined && { body }) })).status);
    }
    expect(statuses).toEqual(expected);
  });

  test('a member of one repository', async () => {
    await stack.database.sql.query(
      `insert into repository_members (repository_id, user_id, role)
       select r.id, u.id, 'viewer' from repositories r, users u where r.name = 'images' and u.name = 'eve'`,
    );
    expect((await stack.call('GET', `/v2/${NAME}/manifests/${digest}`, { as: 'eve' })).status).toBe(200);
    expect((await stack.call('POST', `/v2/${NAME}/blobs/uploads/`, { as: 'eve' })).codes()).toEqual([
      'DENIED',
    ]);
    await stack.database.sql.query(`update repository_members set role = 'developer'`);
    expect((await stack.call('POST', `/v2/${NAME}/blobs/uploads/`, { as: 'eve' })).status).toBe(202);
    await stack.database.sql.query('delete from repository_members');
  });

  test('a disabled user is nobody', async () => {
    const { secret } = await addToken(stack.database, { userName: 'bob', name: 'other', scopes: ['read'] });
    const headers = bearer(await tokenFor(`repository:${NAME}:pull`, basic('bob', secret)));
    await stack.database.sql.query(`update users set disabled_at = now() where name = 'bob'`);
    const answer = await stack.call('GET', `/v2/${NAME}/manifests/v1`, { as: 'anonymous', headers });
    expect(answer.status).toBe(401);
    await stack.database.sql.query(`update users set disabled_at = null where name = 'bob'`);
  });
});

describe('what a push creates', () => {
  const push = async (name: string, as: User, url?: string) => {
    const path = `/v2/${name}/blobs/uploads/?digest=${sha256('c')}`;
    const answer = await stack.call('POST', path, { as, body: 'c', ...(url && { url }) });
    return answer.status;
  };

  test.each<[string, User, number]>([
    ['apps/images/new-image', 'ada', 201],
    ['apps/new-repository/image', 'ada', 404],
    ['apps/new-repository/image', 'olga', 201],
    ['apps/new-repository/other/image', 'ada', 201],
    ['new-project/images/image', 'olga', 404],
    ['new-project/images/image', 'admin', 201],
    ['one', 'ada', 404],
    ['one', 'admin', 201],
    ['apps/two', 'ada', 201],
  ])('%s by %s', async (name, as, status) => {
    expect(await push(name, as)).toBe(status);
  });

  test('short names are full names', async () => {
    expect(
      (await stack.call('HEAD', `/v2/library/images/one/blobs/${sha256('c')}`, { as: 'admin' })).status,
    ).toBe(200);
    expect((await stack.call('HEAD', `/v2/apps/images/two/blobs/${sha256('c')}`)).status).toBe(200);
  });

  test('nothing, where it is switched off', async () => {
    const { url } = await stack.addGateway({ STOWAGE_REGISTRY_AUTO_CREATE: 'false' });
    expect(await push('other/images/image', 'admin', url)).toBe(404);
    expect(await push('apps/another-repository/image', 'olga', url)).toBe(404);
    expect(await push('apps/images/allowed', 'ada', url)).toBe(201);
  });

  test('repositories that are filled from elsewhere take no pushes', async () => {
    await stack.database.sql.query(
      `insert into repositories (project_id, name, category) select id, 'mirror', 'REMOTE' from projects where name = 'apps'`,
    );
    const answer = await stack.call('POST', '/v2/apps/mirror/image/blobs/uploads/', { as: 'admin' });
    expect([answer.status, answer.codes()]).toEqual([403, ['DENIED']]);
  });

  test('no more than the quota', async () => {
    await stack.database.sql.query(
      `insert into repositories (project_id, name, quota) select id, 'small', 1000 from projects where name = 'apps'`,
    );
    await stack.pushBlob('apps/small/a', 'x'.repeat(600));
    await stack.pushBlob('apps/small/b', 'x'.repeat(600)).catch(() => undefined);
    const body = 'y'.repeat(600);
    const answer = await stack.call('POST', `/v2/apps/small/a/blobs/uploads/?digest=${sha256(body)}`, {
      body,
    });
    expect([answer.status, answer.codes()]).toEqual([403, ['DENIED']]);
    expect(answer.json().errors[0].message).toBe('Exceeded repository [small] quota value [1000]');
  });
});

describe('names', () => {
  test.each([
    'UPPER/images/x',
    'a//b',
    '-a/b/c',
    'a/b/c-',
    'a/b/c..d',
    'a/b/c___d',
    `a/b/${'c'.repeat(252)}`,
    'ä/b/c',
    'a/b/%20',
  ])('%s', async (name) => {
    const answer = await stack.call('GET', `/v2/${name}/tags/list`, { as: 'admin' });
    expect([answer.status, answer.codes()]).toEqual([400, ['NAME_INVALID']]);
  });

  test.each(['a', 'a/b', 'a/b/c/d/e/f', 'a.b/c_d/e__f/g---h', 'tags/list/manifests', 'a%2Fb%2Fc'])(
    '%s',
    async (name) => {
      const answer = await stack.call('GET', `/v2/${name}/tags/list`, { as: 'admin' });
      expect([answer.status, answer.codes()]).toEqual([404, ['NAME_UNKNOWN']]);
    },
  );
});

describe('methods and paths', () => {
  test.each([
    ['POST', `/v2/${NAME}/manifests/v1`, 'GET, HEAD, PUT, DELETE'],
    ['PUT', `/v2/${NAME}/blobs/${sha256('x')}`, 'GET, HEAD, DELETE'],
    ['GET', `/v2/${NAME}/blobs/uploads/`, 'POST'],
    ['POST', `/v2/${NAME}/blobs/uploads/some-id`, 'GET, PATCH, PUT, DELETE'],
    ['DELETE', `/v2/${NAME}/tags/list`, 'GET, HEAD'],
    ['POST', '/v2/_catalog', 'GET, HEAD'],
    ['DELETE', '/v2/', 'GET, HEAD'],
    ['DELETE', '/v2/token', 'GET, POST'],
  ])('%s %s', async (method, path, allow) => {
    const answer = await stack.call(method, path);
    expect([answer.status, answer.codes(), answer.headers.get('allow')]).toEqual([
      405,
      ['UNSUPPORTED'],
      allow,
    ]);
  });

  test.each(['/v2/nothing', '/v2/a/b', `/v2/${NAME}/tags/list/`, `/v2/${NAME}/manifests/`])(
    '%s',
    async (path) => {
      expect((await stack.call('GET', path)).status).toBe(404);
    },
  );

  test.each(['/v2/%ff/tags/list', '/v2/%/tags/list', '/docker/v2/a/manifests/%zz'])('%s', async (path) => {
    const answer = await stack.call('GET', path);
    expect([answer.status, answer.codes()]).toEqual([400, ['NAME_INVALID']]);
    expect(answer.headers.get('docker-distribution-api-version')).toBe('registry/2.0');
  });
});

describe('anonymous', () => {
  test('pull', async () => {
    const { url } = await stack.addGateway({ STOWAGE_REGISTRY_ANONYMOUS: 'pull' });
    const call = (method: string, path: string) => stack.call(method, path, { as: 'anonymous', url });
    expect((await call('GET', '/v2/')).status).toBe(401);
    const headers = bearer((await call('GET', '/v2/auth')).json().token);
    expect((await stack.call('GET', '/v2/', { as: 'anonymous', url, headers })).status).toBe(200);
    expect((await call('GET', `/v2/${NAME}/manifests/v1`)).status).toBe(200);
    expect((await call('GET', '/v2/_catalog')).json().repositories).toContain(NAME);
    expect((await call('POST', `/v2/${NAME}/blobs/uploads/`)).status).toBe(401);
    expect((await call('GET', '/v2/no/such/image/tags/list')).codes()).toEqual(['NAME_UNKNOWN']);
  });

  test('push', async () => {
    const { url } = await stack.addGateway({ STOWAGE_REGISTRY_ANONYMOUS: 'push' });
    const path = `/v2/anybody/blobs/uploads/?digest=${sha256('a')}`;
    expect((await stack.call('POST', path, { as: 'anonymous', url, body: 'a' })).status).toBe(201);
    const blob = `/v2/anybody/blobs/${sha256('a')}`;
    expect((await stack.call('GET', blob, { as: 'anonymous', url })).status).toBe(200);
    expect((await stack.call('DELETE', blob, { as: 'anonymous', url })).status).toBe(202);
  });
});
