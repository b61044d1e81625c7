import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addToken } from '../../../src/domain/identity/tokens.ts';
import { ADMIN_PASSWORD, type Caller, TestGateway } from '../../support/gateway.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(async () => {
  await gateway?.close();
});

const me = async (authorization: string) => {
  const response = await fetch(`${gateway.url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: JSON.stringify({ query: '{ me { name isAdmin scopes } }' }),
  });
  const body = (await response.json()) as { data?: { me: unknown }; errors?: unknown[] };
  return { status: response.status, me: body.data?.me, errors: body.errors, headers: response.headers };
};
const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

const change = async (call: string, as: Caller = 'admin') => {
  const field = /^\w+/.exec(call)![0];
  const success = `Mutation${field[0]!.toUpperCase()}${field.slice(1)}Success`;
  const selections: Record<string, string> = {
    createUser: 'name isAdmin disabledAt',
    createToken: 'secret token { name scopes expiresAt lastUsedAt }',
    revokeToken: 'name',
    createProject: 'name visibility members { user { name } role }',
    setProjectMember: 'name members { user { name } role }',
    removeProjectMember: 'name members { user { name } role }',
  };
  const query = `mutation { x: ${call} { __typename ... on Error { code message } ... on ${success} { data { ${selections[field]} } } } }`;
  return (await gateway.data(query, {}, as)).x;
};
const refused = (__typename: string, code: string, message: string) => ({ __typename, code, message });
const invalid = (message: string) => refused('InvalidInputError', 'invalid-input', message);
const conflict = (message: string) => refused('ConflictError', 'conflict', message);
const forbidden = (message: string) => refused('ForbiddenError', 'forbidden', message);
const missing = (message: string) => refused('NotFoundError', 'not-found', message);

describe('Who asks', () => {
  test.each<[Caller, object]>([
    ['anonymous', { name: null, isAdmin: false, scopes: [] }],
    ['ada', { name: 'ada', isAdmin: false, scopes: ['read', 'write'] }],
    ['reader', { name: 'ada', isAdmin: false, scopes: ['read'] }],
    ['admin', { name: 'admin', isAdmin: true, scopes: ['read', 'write', 'admin'] }],
  ])('%s', async (as, expected) => {
    expect((await gateway.data('{ me { name isAdmin scopes } }', {}, as)).me).toEqual(expected);
  });

  test('a password has all scopes; a token works as a password', async () => {
    const admin = { name: 'admin', isAdmin: true, scopes: ['read', 'write', 'admin'] };
    for (let time = 0; time < 2; time++) {
      expect((await me(basic('admin', ADMIN_PASSWORD))).me).toEqual(admin);
    }
    const token = gateway.authorizations.reader!.slice('Bearer '.length);
    expect((await me(basic('ada', token))).me).toMatchObject({ name: 'ada', scopes: ['read'] });
    expect((await me(gateway.authorizations.reader!.replace('Bearer', 'bearer'))).status).toBe(200);
  });

  test.each([
    ['a wrong password', () => basic('admin', 'wrong')],
    ['no password', () => basic('admin', '')],
    ['a user who has none', () => basic('ada', 'null')],
    ['an unknown user', () => basic('nobody', ADMIN_PASSWORD)],
    ['a name with NUL', () => basic('a\0', ADMIN_PASSWORD)],
    ["somebody else's token", () => basic('bob', gateway.authorizations.ada!.slice('Bearer '.length))],
    ['a token that is not', () => 'Bearer stw_nothing'],
    ['no token', () => 'Bearer'],
    ['no colon', () => `Basic ${Buffer.from('admin').toString('base64')}`],
    ['no base64', () => 'Basic !!!'],
  ])('%s is refused as GraphQL clients expect', async (_title, authorization) => {
    const { status, errors, headers } = await me(authorization());
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toBe('Bearer realm="Stowage"');
    expect(errors).toEqual([
      { message: 'Wrong credentials', extensions: { code: 'unauthenticated', hint: null, details: {} } },
    ]);
  });

  test('a scheme that is not known is named', async () => {
    expect(await me('Digest abc')).toMatchObject({
      status: 401,
      errors: [{ message: 'Authorization by "Digest" is not supported' }],
    });
  });

  test('who is disabled is nobody, at once', async () => {
    const { sql } = gateway.stack.database;
    await change('createUser(name: "dora", password: "dora-dora-dora")');
    const { data } = await change('createToken(name: "t", user: "dora")');
    const credentials = [basic('dora', 'dora-dora-dora'), `Bearer ${data.secret}`];
    for (const one of credentials) expect((await me(one)).status).toBe(200);
    await sql.query("update users set disabled_at = now() where name = 'dora'");
    for (const one of credentials) expect((await me(one)).status).toBe(401);
    await sql.query("update users set disabled_at = null where name = 'dora'");
    for (const one of credentials) expect((await me(one)).status).toBe(200);
  });

  test('an expired token is none', async () => {
    const { data } = await change('createToken(name: "brief", expiresAt: "2999-01-01T00:00:00Z")', 'ada');
    expect((await me(`Bearer ${data.secret}`)).status).toBe(200);
    await gateway.stack.database.sql.query("update tokens set expires_at = now() where name = 'brief'");
    expect((await me(`Bearer ${data.secret}`)).status).toBe(401);
  });
});

describe('Tokens', () => {
  test('are made, listed and revoked', async () => {
    const created = await change(
      'createToken(name: "ci", scopes: ["read", "read"], expiresAt: "2999-01-01T00:00:00Z")',
      'bob',
    );
    expect(created).toEqual({
      __typename: 'MutationCreateTokenSuccess',
      data: {
        secret: expect.stringMatching(/^stw_[\w-]{32}$/),
        token: { name: 'ci', scopes: ['read'], expiresAt: '2999-01-01T00:00:00.000Z', lastUsedAt: null },
      },
    });
    const secret = `Bearer ${created.data.secret}`;
    expect((await me(secret)).me).toEqual({ name: 'bob', isAdmin: false, scopes: ['read'] });
    const { tokens } = await gateway.data('{ tokens { name scopes lastUsedAt } }', {}, 'bob');
    expect(tokens).toEqual([
      { name: 'ci', scopes: ['read'], lastUsedAt: expect.any(String) },
      { name: 'test', scopes: ['read', 'write'], lastUsedAt: expect.any(String) },
    ]);
    expect(await change('revokeToken(name: "ci")', 'bob')).toMatchObject({ data: { name: 'ci' } });
    expect((await me(secret)).status).toBe(401);
    expect(await change('revokeToken(name: "ci")', 'bob')).toEqual(missing('"bob" has no token "ci"'));
  });

  test.each<[string, Caller, object]>([
    [
      'createToken(name: "a", scopes: ["admin"])',
      'ada',
      forbidden('These credentials do not have the scope "admin" themselves'),
    ],
    [
      'createToken(name: "a")',
      'writer',
      forbidden('These credentials do not have the scope "read" themselves'),
    ],
    ['createToken(name: "a")', 'reader', forbidden('This token does not have the scope "write"')],
    [
      'createToken(name: "a", scopes: ["all"])',
      'ada',
      invalid('"all" is not a scope; there are read, write, admin'),
    ],
    ['createToken(name: "a", scopes: [])', 'ada', invalid('A token needs at least one scope')],
    ['createToken(name: "a b")', 'ada', invalid('"a b" is not a valid token name')],
    ['createToken(name: "")', 'ada', invalid('"" is not a valid token name')],
    ['createToken(name: "test")', 'ada', conflict('"ada" has a token "test" already')],
    [
      'createToken(name: "a", expiresAt: "2020-01-01T00:00:00Z")',
      'ada',
      invalid('The token would have expired already'),
    ],
    ['createToken(name: "a", user: "bob")', 'ada', forbidden('This token does not have the scope "admin"')],
    ['createToken(name: "a", user: "nobody")', 'admin', missing('There is no user "nobody"')],
    [
      'revokeToken(name: "test", user: "bob")',
      'ada',
      forbidden('This token does not have the scope "admin"'),
    ],
  ])('%s by %s is refused', async (call, as, expected) => {
    expect(await change(call, as)).toEqual(expected);
  });

  test('with the scope "admin" make no administrator', async () => {
    const { data } = await change(
      'createToken(name: "mighty", scopes: ["read", "write", "admin"], user: "eve")',
    );
    expect((await me(`Bearer ${data.secret}`)).me).toMatchObject({ isAdmin: false });
    gateway.authorizations.eve = `Bearer ${data.secret}`;
    expect(await change('createUser(name: "mallory")', 'eve')).toEqual(
      forbidden('Only administrators may do this'),
    );
    expect((await gateway.graphql('{ workers { id } }', {}, 'eve')).errors).toMatchObject([
      { extensions: { code: 'forbidden' } },
    ]);
  });
});

describe('Users', () => {
  test('are created', async () => {
    expect(
      await change('createUser(name: "Grace.Hopper@EXAMPLE", password: "grace-grace", isAdmin: true)'),
    ).toEqual({
      __typename: 'MutationCreateUserSuccess',
      data: { name: 'Grace.Hopper@EXAMPLE', isAdmin: true, disabledAt: null },
    });
    expect((await me(basic('Grace.Hopper@EXAMPLE', 'grace-grace'))).me).toMatchObject({ isAdmin: true });
  });

  test.each([
    ['createUser(name: "ada")', conflict('There is a user "ada" already')],
    ['createUser(name: "-a")', invalid('"-a" is not a valid user name')],
    ['createUser(name: "")', invalid('"" is not a valid user name')],
    ['createUser(name: "a:b")', invalid('"a:b" is not a valid user name')],
    ['createUser(name: "short", password: "1234567")', invalid('A password needs at least 8 characters')],
    ['createUser(name: "empty", password: "")', invalid('A password needs at least 8 characters')],
  ])('%s is refused', async (call, expected) => {
    expect(await change(call)).toEqual(expected);
  });

  test.each([
    ['createUser(name: "twin")', 'There is a user "twin" already'],
    ['createProject(name: "twin")', 'There is a project "twin" already'],
    ['createToken(name: "twin")', '"admin" has a token "twin" already'],
  ])('of several at once, one comes first: %s', async (call, message) => {
    const results = await Promise.all([1, 2, 3, 4].map(() => change(call)));
    expect(results.filter(({ __typename }) => __typename.endsWith('Success'))).toHaveLength(1);
    expect(results.filter(({ code }) => code)).toEqual([1, 2, 3].map(() => conflict(message)));
  });
});

describe('Projects', () => {
  const members = (project: { members: { user: { name: string }; role: string }[] | null }) =>
    project.members?.map(({ user, role }) => `${user.name} ${role}`) ?? null;

  test('belong to those who create them, who say who else is in', async () => {
    const { data } = await change('createProject(name: "tools")', 'bob');
    expect([data.visibility, members(data)]).toEqual(['PRIVATE', ['bob OWNER']]);
    expect(await change('setProjectMember(project: "tools", user: "ada", role: VIEWER)', 'ada')).toEqual(
      missing('There is no project "tools"'),
    );
    const added = await change('setProjectMember(project: "tools", user: "ada", role: VIEWER)', 'bob');
    expect(members(added.data)).toEqual(['ada VIEWER', 'bob OWNER']);
    expect(await change('setProjectMember(project: "tools", user: "ada", role: OWNER)', 'ada')).toEqual(
      forbidden('This needs the role "owner" in "tools"'),
    );
    const raised = await change('setProjectMember(project: "tools", user: "ada", role: OWNER)', 'bob');
    expect(members(raised.data)).toEqual(['ada OWNER', 'bob OWNER']);
    expect(await change('setProjectMember(project: "tools", user: "nobody", role: OWNER)', 'bob')).toEqual(
      missing('There is no user "nobody"'),
    );
    const left = await change('removeProjectMember(project: "tools", user: "ada")', 'bob');
    expect(members(left.data)).toEqual(['bob OWNER']);
    expect(await change('removeProjectMember(project: "tools", user: "bob")', 'ada')).toEqual(
      missing('There is no project "tools"'),
    );
    expect(await change('removeProjectMember(project: "tools", user: "nobody")', 'bob')).toEqual(
      missing('There is no user "nobody"'),
    );
  });

  test('that are public show everybody their name, and their members to members', async () => {
    await change('createProject(name: "open", visibility: PUBLIC)', 'bob');
    const list = async (as: Caller) =>
      (await gateway.data('{ projects { name visibility members { user { name } role } } }', {}, as))
        .projects;
    const byName = async (as: Caller) =>
      Object.fromEntries(
        (await list(as)).map((one: { name: string; members: [] }) => [one.name, members(one)]),
      );
    expect(await byName('bob')).toMatchObject({
      apps: ['ada DEVELOPER', 'admin OWNER', 'bob VIEWER'],
      open: ['bob OWNER'],
    });
    const seenByAda = await byName('ada');
    expect(seenByAda.open).toBeNull();
    const memberships = await gateway.data('{ me { memberships { name } } }', {}, 'bob');
    const mine = memberships.me.memberships.map(({ name }: { name: string }) => name);
    expect(mine).toEqual(['apps', 'tools', 'open']);
    expect(await byName('admin')).toMatchObject({ open: ['bob OWNER'], apps: expect.any(Array) });
  });

  test.each([
    ['createProject(name: "apps")', conflict('There is a project "apps" already')],
    ...['', 'Upper', '-a', 'a-', 'a b', 'a/b', '..'].map((name) => [
      `createProject(name: "${name}")`,
      invalid(`"${name}" is not a valid project name`),
    ]),
  ])('%s is refused', async (call, expected) => {
    expect(await change(call as string, 'ada')).toEqual(expected);
  });
});

test('a token that another one makes does not outlive it', async () => {
  const expiresAt = new Date('2999-01-01T00:00:00Z');
  const { database } = gateway.stack;
  const { secret } = await addToken(database, { userName: 'ada', name: 'until-2999', expiresAt });
  const create = async (args: string) => {
    const query = `mutation { x: createToken(${args}) { __typename ... on Error { message }
      ... on MutationCreateTokenSuccess { data { token { expiresAt } } } } }`;
    const response = await gateway.post({ query }, 'anonymous', { authorization: `Bearer ${secret}` });
    return ((await response.json()) as { data: { x: object } }).data.x;
  };
  expect(await create('name: "inherits"')).toMatchObject({
    data: { token: { expiresAt: '2999-01-01T00:00:00.000Z' } },
  });
  expect(await create('name: "earlier", expiresAt: "2998-01-01T00:00:00Z"')).toMatchObject({
    data: { token: { expiresAt: '2998-01-01T00:00:00.000Z' } },
  });
  expect(await create('name: "later", expiresAt: "2999-01-01T00:00:01Z"')).toEqual({
    __typename: 'ForbiddenError',
    message: 'This token ends at 2999-01-01T00:00:00.000Z, and one that it makes cannot end later',
  });
});
