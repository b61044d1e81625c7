import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Caller, TestGateway } from '../../../support/gateway.ts';
import { CachitoCalls, REF, REPO } from './cachito-calls.ts';

/** Who may do what (cachito.md 1.2 and 3.3): ada and eve are workers, bob represents others. */
const UNAUTHORIZED = {
  error:
    'The server could not verify that you are authorized to access the URL requested. You either supplied the wrong ' +
    "credentials (e.g. a bad password), or your browser doesn't understand how to supply the credentials required.",
};
const NOT_A_WORKER = { error: 'This API endpoint is restricted to Cachito workers' };
const NO_WRITING = { error: 'This token does not have the scope "write"' };
const NO_REPRESENTATIVE = {
  error: 'You are not authorized to create a request on behalf of another user',
};

const body = { repo: REPO, ref: REF };

describe('With logins', () => {
  let gateway: TestGateway;
  let client: CachitoCalls;
  let id: number;

  beforeAll(async () => {
    gateway = await TestGateway.start({
      environment: { STOWAGE_WORKER_USERNAMES: 'ada eve', STOWAGE_USER_REPRESENTATIVES: 'bob' },
    });
    client = new CachitoCalls(gateway);
    id = await client.submit();
  });

  afterAll(() => gateway.close());

  test.each<[string, Caller, string, () => string, number, object]>([
    ['nobody', 'anonymous', 'POST', () => '/requests', 401, UNAUTHORIZED],
    ['nobody', 'anonymous', 'PATCH', () => `/requests/${id}`, 401, UNAUTHORIZED],
    ['nobody', 'anonymous', 'PATCH', () => '/requests/4000', 401, UNAUTHORIZED],
    ['nobody', 'anonymous', 'POST', () => `/requests/${id}/configuration-files`, 401, UNAUTHORIZED],
    ['a user', 'bob', 'PATCH', () => `/requests/${id}`, 403, NOT_A_WORKER],
    ['an administrator', 'admin', 'PATCH', () => '/requests/4000', 403, NOT_A_WORKER],
    ['a user', 'bob', 'POST', () => `/requests/${id}/configuration-files`, 403, NOT_A_WORKER],
    ['a token for reading', 'reader', 'POST', () => '/requests', 403, NO_WRITING],
    ['a token for reading', 'reader', 'PATCH', () => `/requests/${id}`, 403, NO_WRITING],
  ])('%s (%s): %s %s', async (_title, as, method, path, status, answer) => {
    // Before the body is looked at, whatever it is.
    for (const sent of ['{', '[]', { state: 'x' }, 'x'.repeat(2_000_000)]) {
      expect(await client.json(method, path(), { as, body: sent })).toEqual([status, answer]);
    }
  });

  test('401 says how to log in', async () => {
    const { headers } = await client.call('POST', '/requests', { as: 'anonymous', body });
    expect(headers.get('www-authenticate')).toBe(
      'Basic realm="Stowage", charset="UTF-8", Bearer realm="Stowage"',
    );
  });

  test.each(['Bearer stw_wrong', 'Basic !!!', 'Negotiate YII=', 'Nonsense'])(
    'wrong credentials (%s) write nothing, and read what everybody may read',
    async (authorization) => {
      const headers = { authorization };
      expect(await client.json('POST', '/requests', { headers, body })).toEqual([401, UNAUTHORIZED]);
      expect((await client.json('GET', `/requests/${id}`, { headers }))[0]).toBe(200);
    },
  );

  test('who submits is the user', async () => {
    expect(await client.request(id)).toMatchObject({ user: 'ada', submitted_by: null });
  });

  test('a token for writing only gets the new request shown', async () => {
    expect(await client.json('POST', '/requests', { as: 'writer', body })).toEqual([
      201,
      expect.objectContaining({ user: 'ada', state: 'in_progress' }),
    ]);
  });

  test('a representative submits for others, who need not exist', async () => {
    for (const user of ['eve', 'tbrady@DOMAIN.LOCAL', 'CN=Ada B,O=Example\\, Inc.,C=US']) {
      const number = await client.submit({ user }, 'bob');
      expect(await client.request(number)).toMatchObject({ user, submitted_by: 'bob' });
    }
    const number = await client.submit({ user: '' }, 'bob');
    expect(await client.request(number)).toMatchObject({ user: 'bob', submitted_by: null });
  });

  test('nobody else does, not for themselves either', async () => {
    for (const user of ['bob', 'ada']) {
      expect(await client.json('POST', '/requests', { body: { ...body, user } })).toEqual([
        403,
        NO_REPRESENTATIVE,
      ]);
    }
    // Before managers that are not enabled; an empty name is none.
    expect((await client.json('POST', '/requests', { body: { ...body, user: '' } }))[0]).toBe(201);
  });

  test.each(['a\nb', 'x'.repeat(501)])('what is no name is refused: %j', async (user) => {
    expect(await client.json('POST', '/requests', { as: 'bob', body: { ...body, user } })).toEqual([
      400,
      { error: `"${user.slice(0, 60)}" is not a valid user name` },
    ]);
  });

  test('many who name the same new user at once create one', async () => {
    const numbers = await Promise.all(
      Array.from({ length: 10 }, () => client.submit({ user: 'new' }, 'bob')),
    );
    for (const number of numbers) expect((await client.request(number)).user).toBe('new');
  });

  test('what is read without a login: requests of this API without a project', async () => {
    const submit = `mutation ($input: SubmitBundleRequestInput!) {
      submitBundleRequest(input: $input) { ... on MutationSubmitBundleRequestSuccess { data { number } } }
    }`;
    const native = async (project: string | null): Promise<number> => {
      const input = { repository: REPO, ref: REF, packageManagers: [], project };
      return (await gateway.data(submit, { input })).submitBundleRequest.data.number;
    };
    const [open, closed] = [await native(null), await native('apps')];
    const status = async (number: number, as: Caller) =>
      (await client.call('GET', `/requests/${number}`, { as })).status;
    expect(
      await Promise.all([
        ...[id, open, closed].map((number) => status(number, 'anonymous')),
        ...[id, open, closed].map((number) => status(number, 'eve')),
        ...[id, open, closed].map((number) => status(number, 'bob')),
      ]),
    ).toEqual([200, 404, 404, 200, 200, 404, 200, 200, 200]);
    // A token that is not for reading sees what everybody sees.
    expect(await status(open, 'writer')).toBe(404);
    // Not even a worker changes what it must not see.
    const change = { body: { state: 'stale', state_reason: 'x' } };
    const patch = async (as: Caller) =>
      (await client.call('PATCH', `/requests/${closed}`, { ...change, as })).status;
    expect([await patch('eve'), await patch('ada')]).toEqual([404, 200]);
  });
});

describe('Without logins', () => {
  let gateway: TestGateway;
  let client: CachitoCalls;

  beforeAll(async () => {
    gateway = await TestGateway.start({
      environment: { STOWAGE_CACHITO_LOGIN_DISABLED: 'true', STOWAGE_USER_REPRESENTATIVES: 'bob' },
    });
    client = new CachitoCalls(gateway);
  });

  afterAll(() => gateway.close());

  test('everybody may write, and nobody is known', async () => {
    for (const as of ['anonymous', 'bob', 'reader'] as const) {
      const id = await client.submit({}, as);
      expect(await client.request(id)).toMatchObject({ user: null, submitted_by: null });
      const change = { state: 'complete', state_reason: 'x' };
      expect((await client.call('PATCH', `/requests/${id}`, { as, body: change })).status).toBe(200);
      const files = `/requests/${id}/configuration-files`;
      expect((await client.call('POST', files, { as, body: [] })).status).toBe(204);
    }
  });

  test.each<[unknown, string]>([
    ['eve', 'Cannot set "user" when authentication is disabled'],
    [5, 'The "user" parameter must be a string'],
  ])('no user can be named: %j', async (user, error) => {
    for (const as of ['anonymous', 'bob'] as const) {
      expect(await client.json('POST', '/requests', { as, body: { ...body, user } })).toEqual([
        400,
        { error },
      ]);
    }
  });

  test('wrong credentials are not looked at', async () => {
    const headers = { authorization: 'Bearer wrong' };
    expect((await client.json('POST', '/requests', { headers, body }))[0]).toBe(201);
  });

  test('nothing else of the server is open', async () => {
    const { errors } = await gateway.graphql('{ bundleRequests { totalCount } }', {}, 'anonymous');
    expect(errors[0]!.message).toBe('Log in to do this');
  });
});
