import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SYSTEM } from '../../../../src/domain/identity/principal.ts';
import { createProject, setProjectMember } from '../../../../src/domain/identity/projects.ts';
import { SignedTokens } from '../../../../src/domain/identity/signed-tokens.ts';
import { PASSWORD } from '../../../support/registry-stack.ts';
import { FandoghStack } from './fandogh-calls.ts';

let fandogh: FandoghStack;
const DATE = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);

beforeAll(async () => {
  fandogh = await FandoghStack.start();
});
afterAll(() => fandogh.close());

const answer = (...args: Parameters<FandoghStack['answer']>) => fandogh.answer(...args);
const message = (text: string) => ({ message: text, contents: { message: text } });
const create = (name: unknown, options = {}) => answer('POST', '/api/images', { json: { name }, ...options });

describe('who calls (fandogh.md 1.1)', () => {
  const body = { username: 'ada', email: '', namespaces: ['apps'], token: expect.any(String) };
  test.each([
    [{ username: 'ada', password: 'correct horse battery' }, 200, body],
    [{ username: 'ADA', password: 'correct horse battery' }, 200, body],
    [{ username: 'ada', password: 'wrong' }, 400, { message: 'Username or password is wrong' }],
    [{ username: 'nobody', password: 'wrong' }, 400, { message: 'Username or password is wrong' }],
    [{ username: 'a\0', password: 'wrong' }, 400, { message: 'Username or password is wrong' }],
    [{ username: 'ada' }, 400, { password: ['This field is required.'] }],
    [{ username: 7, password: 'x' }, 400, { username: ['Not a valid string.'] }],
    [[], 400, { non_field_errors: ['The body must be a JSON object'] }],
  ])('logs in: %j', async (json, status, expected) => {
    expect(await answer('POST', '/api/tokens', { token: null, json })).toEqual([status, expected]);
  });

  test('who has no project gets one by logging in', async () => {
    const options = { token: null, json: { username: 'admin', password: 'correct horse battery' } };
    const [[, first], [, second]] = await Promise.all([
      answer('POST', '/fa/api/tokens/', options),
      answer('POST', '/api/tokens', options),
    ]);
    expect(first).toMatchObject({ username: 'admin', namespaces: ['admin'] });
    expect(second).toMatchObject({ username: 'admin', namespaces: ['admin'] });
  });

  const invalid = { message: 'Your token is not valid. Please login first' };
  test.each<[string, Record<string, string>, object]>([
    ['nothing', {}, { message: 'You need to login first.' }],
    ['the default of one client', { authorization: 'JWT asda' }, invalid],
    ['a forged token', { authorization: `JWT ${'e30.'.repeat(2)}x` }, invalid],
    ['another scheme', { authorization: 'Digest x' }, invalid],
    ['no scheme', { authorization: 'x' }, invalid],
  ])('refused: %s', async (_what, headers, expected) => {
    for (const path of ['/api/images', '/fa/api/images', '/api/users/namespaces']) {
      expect(await answer('GET', path, { token: null, headers })).toEqual([401, expected]);
    }
  });

  test('a token that was changed, and of a user who is gone', async () => {
    const [header, payload, signature] = fandogh.token.split('.');
    const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString());
    expect(claims.exp - claims.iat).toBe(24 * 3600);
    const changed = Buffer.from(JSON.stringify({ ...claims, uid: 1 })).toString('base64url');
    for (const token of [`${header}.${changed}.${signature}`, `${fandogh.token}x`, `${header}.${payload}.`]) {
      expect(await answer('GET', '/api/images', { token })).toEqual([401, invalid]);
    }
    const { sql } = fandogh.stack.database;
    await sql.query(`update users set disabled_at = now() where name = 'ada'`);
    expect(await answer('GET', '/api/images')).toEqual([401, invalid]);
    await sql.query(`update users set disabled_at = null where name = 'ada'`);
  });

  test('a token that is over', async () => {
    const payload = fandogh.token.split('.')[1]!;
    const { iat: _, exp: __, ...claims } = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const tokens = new SignedTokens<object>(fandogh.stack.database, 'session-tokens');
    const { token: good } = await tokens.issue(claims, 60);
    expect((await answer('GET', '/api/images', { token: good }))[0]).toBe(200);
    const { token: over } = await tokens.issue(claims, -1);
    expect(await answer('GET', '/api/images', { token: over })).toEqual([401, invalid]);
  });

  test('the schemes that our own tools use', async () => {
    const { authorization } = fandogh.stack.authorization('ada');
    for (const value of [
      authorization!,
      authorization!.replace('Bearer', 'jwt'),
      `Bearer ${fandogh.token}`,
    ]) {
      const options = { token: null, headers: { authorization: value } };
      expect((await answer('GET', '/api/images', options))[0]).toBe(200);
    }
    const me = await fetch(`${fandogh.stack.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `JWT ${fandogh.token}` },
      body: '{"query":"{ me { name } }"}',
    });
    expect(await me.json()).toEqual({ data: { me: { name: 'ada' } } });
  });
});

describe('namespaces (fandogh.md 1.2)', () => {
  beforeAll(async () => {
    const { database } = fandogh.stack;
    await createProject(database, SYSTEM, { name: 'second' });
    await setProjectMember(database, SYSTEM, { projectName: 'second', userName: 'ada', role: 'owner' });
    await createProject(database, SYSTEM, { name: 'hidden' });
    expect(await create('there', { namespace: 'second' })).toEqual([
      200,
      message('Image created successfully'),
    ]);
  });

  test.each(['', ' ', 'null', 'undefined', 'None', '[object Object]', 'apps'])(
    '%j is one’s first',
    async (namespace) => {
      expect(await answer('GET', '/api/images', { namespace })).toEqual([200, []]);
    },
  );

  test('another one', async () => {
    const [, images] = await answer('GET', '/api/images', { namespace: 'second' });
    expect(images).toMatchObject([{ name: 'there', namespace: 'second', repository: 'second/images/there' }]);
  });

  test.each(['hidden', 'unknown', 'Apps'])('%s is refused', async (namespace) => {
    const expected = { message: `Namespace ${namespace} does not exist or you have no access to it` };
    expect(await answer('GET', '/api/images', { namespace })).toEqual([400, expected]);
    expect(await create('x', { namespace })).toEqual([400, expected]);
  });

  test.each(['/api/api/users/namespaces', '/api/users/namespaces', '/fa/api/users/namespaces/'])(
    '%s',
    async (path) => {
      expect(await answer('GET', path)).toEqual([200, [{ name: 'apps' }, { name: 'second' }]]);
    },
  );

  test('one of them, also by the word of one client', async () => {
    const limits = {
      quota: { service_limit: 0, memory_limit: 0, volume_limit: 0 },
      current_used_resources: { service_count: 0, memory_usage: 0, volume_usage: 0 },
    };
    expect(await answer('GET', '/api/users/namespaces/second')).toEqual([200, { name: 'second', ...limits }]);
    const active = await answer('GET', '/api/api/users/namespaces/NAMESPACE', { namespace: 'second' });
    expect(active).toEqual([200, { name: 'second', ...limits }]);
    expect((await answer('GET', '/api/users/namespaces/hidden'))[0]).toBe(404);
  });
});

describe('accounts (fandogh.md 4)', () => {
  const change = (name: string, json: unknown, options = {}) =>
    answer('PATCH', `/api/accounts/${name}`, { json, ...options });
  const asAdmin = async () => ({
    token: await fandogh.logIn('admin'),
  });

  test('one’s own, and everybody’s for administrators', async () => {
    const ada = { id: expect.any(Number), username: 'ada', email: '' };
    expect(await answer('GET', '/api/accounts/ADA')).toEqual([200, ada]);
    expect(await answer('GET', '/fa/api/accounts/ada/', await asAdmin())).toEqual([200, ada]);
    for (const name of ['bob', 'nobody', 'a%00']) {
      expect((await answer('GET', `/api/accounts/${name}`))[0]).toBe(404);
      expect((await change(name, { email: 'x@mail.example' }))[0]).toBe(404);
    }
    expect((await answer('GET', '/api/accounts/ada', { token: null }))[0]).toBe(401);
  });

  test('the e-mail, which the login tells', async () => {
    const mail = 'ada@mail.example';
    expect(await change('ada', { email: mail })).toMatchObject([200, { username: 'ada', email: mail }]);
    const logIn = { token: null, json: { username: 'ada', password: PASSWORD } };
    expect(await answer('POST', '/api/tokens', logIn)).toMatchObject([200, { email: mail }]);
    const taken = { email: ['A user with this email already exists.'] };
    expect(await change('bob', { email: mail.toUpperCase() }, await asAdmin())).toEqual([400, taken]);
    for (const email of ['x', 'a b@c', '@', `${'x'.repeat(65)}@mail.example`, 'a\0@b']) {
      expect(await change('ada', { email })).toEqual([400, { email: ['Enter a valid email address.'] }]);
    }
    expect(await change('ada', { email: 7 })).toEqual([400, { email: ['Not a valid string.'] }]);
    expect(await change('ada', { email: '' })).toMatchObject([200, { email: '' }]);
    expect(await change('ada', {})).toMatchObject([200, { email: '' }]);
  });

  test('the password, for who knows the old one', async () => {
    const password = 'another horse';
    const wrong = { old_password: ['The old password is wrong'] };
    expect(await change('ada', { password })).toEqual([400, wrong]);
    expect(await change('ada', { password, old_password: 'x' })).toEqual([400, wrong]);
    const short = { password: 'short', old_password: PASSWORD };
    expect(await change('ada', short)).toEqual([400, { password: [expect.stringContaining('at least 8')] }]);
    const { authorization } = fandogh.stack.authorization('ada');
    const byToken = { token: null, headers: { authorization: authorization! } };
    expect((await change('ada', { password, old_password: PASSWORD }, byToken))[0]).toBe(403);
    expect((await change('ada', { password, old_password: PASSWORD }))[0]).toBe(200);
    const logIn = (word: string) =>
      answer('POST', '/api/tokens', { token: null, json: { username: 'ada', password: word } });
    expect((await logIn(PASSWORD))[0]).toBe(400);
    expect((await logIn(password))[0]).toBe(200);
    expect((await change('ada', { password: PASSWORD }, await asAdmin()))[0]).toBe(200);
    expect((await logIn(PASSWORD))[0]).toBe(200);
  });

  test('namespaces are made once, by names that images can have', async () => {
    const make = (name: unknown, options = {}) =>
      answer('POST', '/api/users/namespaces', { json: { name }, ...options });
    const { authorization } = fandogh.stack.authorization('bob');
    const bob = { token: null, headers: { authorization: authorization! } };
    expect(await make('mine', bob)).toEqual([200, message('Namespace created successfully')]);
    expect(await make('mine')).toEqual([400, { name: ['namespace with this name already exists.'] }]);
    for (const name of ['', 'A', 'a b', '-a', 'a-', 'a..b', '.', '../x', 'a/b', 'n'.repeat(65), 'a\0']) {
      expect(await make(name)).toEqual([400, { name: ['Enter a valid value.'] }]);
    }
    expect(await make(undefined)).toEqual([400, { name: ['This field is required.'] }]);
    expect((await make('x', { token: null }))[0]).toBe(401);
    const listed = await answer('GET', '/api/api/users/namespaces', bob);
    expect(listed).toEqual([200, [{ name: 'apps' }, { name: 'mine' }]]);
  });
});

describe('images (fandogh.md 1.4 to 1.6)', () => {
  test('made once, listed, deleted', async () => {
    expect(await create('my-app')).toEqual([200, message('Image created successfully')]);
    expect(await create('my-app')).toEqual([400, { name: ['image with this name already exists.'] }]);
    expect(await create('MyApp')).toEqual([200, message('Image created successfully')]);
    const [, images] = await answer('GET', '/api/images');
    const item = { namespace: 'apps', owner: expect.any(Number), created_at: DATE, last_version: null };
    expect(images).toEqual([
      { name: 'my-app', repository: 'apps/images/my-app', ...item },
      { name: 'MyApp', repository: expect.stringMatching(/^apps\/images\/myapp-x[\da-f]{8}$/), ...item },
    ]);
    expect(await answer('DELETE', '/api/images/MyApp')).toEqual([200, message('Image Deleted Successfully')]);
    expect(await answer('DELETE', '/api/images/MyApp')).toEqual([
      404,
      { message: 'Image with name MyApp does not exist.' },
    ]);
    const minimal = await fandogh.call('DELETE', '/api/images/my-app', {
      headers: { prefer: 'respond-async, return=minimal' },
    });
    expect([minimal.status, minimal.text, minimal.headers.get('preference-applied')]).toEqual([
      204,
      '',
      'return=minimal',
    ]);
    expect(await answer('GET', '/api/images')).toEqual([200, []]);
  });

  test('in Persian', async () => {
    const made = await answer('POST', '/fa/api/images', { json: { name: 'fa' } });
    expect(made).toEqual([200, message('تصویر با موفقیت ایجاد گردید')]);
    expect((await answer('DELETE', '/fa/api/images/fa'))[0]).toBe(200);
  });

  test.each([
    [undefined, ['This field is required.']],
    [null, ['This field is required.']],
    [7, ['Not a valid string.']],
    ['', ['This field may not be blank.']],
    ['a b', ['Enter a valid value.']],
    ['a/b', ['Enter a valid value.']],
    ['a\n', ['Enter a valid value.']],
    ['a\0', ['Enter a valid value.']],
    ['نام', ['Enter a valid value.']],
    ['a'.repeat(101), ['The name has at most 100 characters.']],
    [`${'a-'.repeat(5000)}!`, ['The name has at most 100 characters.', 'Enter a valid value.']],
  ])('the name %j is refused', async (name, errors) => {
    expect(await create(name)).toEqual([400, { name: errors }]);
  });

  test.each(['a'.repeat(100), '-a', 'a_', 'a___b', '_', '-', '0'])('the name %s is good', async (name) => {
    expect((await create(name))[0]).toBe(200);
    expect((await answer('DELETE', `/api/images/${name}/`))[0]).toBe(200);
  });

  test('who may only read', async () => {
    const { authorization } = fandogh.stack.authorization('bob');
    const options = { token: null, headers: { authorization: authorization! } };
    expect(await answer('GET', '/api/images', options)).toEqual([200, []]);
    expect((await create('x', options))[0]).toBe(403);
    await create('kept');
    expect((await answer('DELETE', '/api/images/kept', options))[0]).toBe(403);
    expect(await fandogh.publish('kept', 'v1', undefined, options)).toEqual([
      403,
      { message: 'You cannot publish version for this image' },
    ]);
    await answer('DELETE', '/api/images/kept');
  });
});

describe('around it', () => {
  test.each<[string, string, object, number, unknown]>([
    ['GET', '/api//api/latest-version', {}, 404, { message: 'There is no latest version' }],
    ['GET', '/api/latest-version', {}, 404, { message: 'There is no latest version' }],
    ['POST', '/api/errors', { json: { cli_version: '1', cmd: 'x' } }, 200, 'OK'],
    ['POST', '/api/errors', { json: [1] }, 400, { non_field_errors: ['The body must be a JSON object'] }],
    ['POST', '/api/errors', { body: '{' }, 400, { non_field_errors: ['The body is not JSON'] }],
    ['POST', '/api/sources', {}, 404, { message: 'There is nothing at /api/sources' }],
    ['GET', '/fa/api/services', {}, 404, { message: 'There is nothing at /fa/api/services' }],
    ['GET', '/api/', {}, 404, { message: 'There is nothing at /api/' }],
    ['PUT', '/api/images', { json: {} }, 400, { non_field_errors: ['The method PUT is not for this path'] }],
    [
      'DELETE',
      '/api/images/a/versions',
      {},
      400,
      { non_field_errors: ['The method DELETE is not for this path'] },
    ],
    ['GET', '/api/images/%ff/versions', {}, 400, { non_field_errors: [expect.any(String)] }],
    ['GET', '/api/v1/nothing', {}, 404, { error: 'The requested resource was not found' }],
  ])('%s %s %j', async (method, path, options, status, expected) => {
    expect(await answer(method, path, { token: null, ...options })).toEqual([status, expected]);
  });

  test('any page may call, with a token', async () => {
    const asked = await fandogh.call('OPTIONS', '/fa/api/images/x/versions', {
      token: null,
      headers: { origin: 'https://page.example', 'access-control-request-method': 'POST' },
    });
    expect(asked.status).toBe(204);
    expect(asked.headers.get('access-control-allow-origin')).toBe('*');
    expect(asked.headers.get('access-control-allow-headers')).toBe(
      'Authorization, ACTIVE-NAMESPACE, Content-Type',
    );
    for (const path of ['/api/images', '/api/nothing']) {
      const { headers } = await fandogh.call('GET', path, { token: null });
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(headers.get('access-control-allow-credentials')).toBeNull();
    }
  });

  test('the newest version of the client, where there is one', async () => {
    const gateway = await fandogh.stack.addGateway({ STOWAGE_FANDOGH_LATEST_VERSION: '1.26.10' });
    for (const path of ['/api//api/latest-version', '/api/api/latest-version']) {
      const response = await fetch(`${gateway.url}${path}`);
      expect([response.status, await response.json()]).toEqual([200, { latest_version: '1.26.10' }]);
    }
  });
});
