import { getIntrospectionQuery } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestGateway } from '../../support/gateway.ts';
import { RequestHistory } from './request-history.ts';

let gateway: TestGateway;
let number: number;

beforeAll(async () => {
  gateway = await TestGateway.start();
  number = (await RequestHistory.begin(gateway)).number;
});
afterAll(async () => {
  await gateway?.close();
});

const repeated = (count: number, one: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => one(index)).join(' ');

describe('Documents', () => {
  test('that clients send pass', async () => {
    const { introspection } = {
      introspection: await gateway.graphql(
        getIntrospectionQuery({ inputValueDeprecation: true }),
        {},
        'anonymous',
      ),
    };
    expect(introspection.errors).toEqual([]);
    expect(introspection.data.__schema.queryType).toEqual({ name: 'Query', kind: 'OBJECT' });
    const wide =
      await gateway.graphql(`{ bundleRequests(first: 50) { totalCount pageInfo { endCursor } nodes {
      number state stateReason user { name } project { name } steps { task state progress { files } } history { reason }
      bundle { archiveDigest archiveUrl } error { message } } } }`);
    expect(wide.errors).toEqual([]);
    const page = await gateway.graphql(`{ bundleRequest(number: ${number}) {
      packages(first: 1000) { nodes { name dependencies(first: 1000) { nodes { name version } } } }
      dependencies(first: 1000) { nodes { name version } } log(limit: 5000) { lines { text } } } }`);
    expect(page.errors).toEqual([]);
    const search = await gateway.graphql(
      '{ components(purl: "pkg:npm/lodash", range: "<4", first: 100) { nodes { purl requests(first: 20) { nodes { number repository commit } } } } }',
    );
    expect(search.errors).toEqual([]);
  });

  test.each<[string, string, RegExp]>([
    [
      'too broad',
      `{ ${repeated(401, (index) => `a${index}: me { name }`)} }`,
      /Query exceeds maximum breadth|complexity/,
    ],
    [
      'too complex',
      `{ ${repeated(40, (index) => `a${index}: bundleRequests(first: 100) { nodes { user { name } project { members { user { name } } } steps { number } } }`)} }`,
      /Query exceeds maximum complexity/,
    ],
    ['too long', `{ ${repeated(4_000, (index) => `a${index}: __typename`)} }`, /more than 10000 tokens/],
    [
      'nested in fragments',
      `{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }`,
      /Cannot spread fragment/,
    ],
  ])('that are %s are refused', async (_title, query, message) => {
    const { data, errors } = await gateway.graphql(query);
    expect(data).toBeNull();
    expect(errors[0]!.message).toMatch(message);
  });

  test('that wind through the schema are refused', async () => {
    const fields = (level: number): string =>
      level === 0 ? 'name' : `fields { type { ${fields(level - 1)} } }`;
    const { data, errors } = await gateway.graphql(`{ __schema { types { ${fields(6)} } } }`);
    expect(data).toBeNull();
    expect(errors[0]!.message).toBe('Maximum introspection depth exceeded');
  });

  test.each(['', '{', 'query', '{ nope }', 'subscription { nope }'])(
    'that are wrong are the client’s matter: %s',
    async (query) => {
      const { status, data, errors } = await gateway.graphql(query);
      expect([status, data]).toEqual([200, null]);
      expect(errors.length).toBeGreaterThan(0);
    },
  );
});

describe('Requests', () => {
  const query = '{ me { name } }';

  test('of many operations are refused', async () => {
    const response = await gateway.post([{ query }, { query }]);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ message: expect.stringMatching(/atch/) }] });
  });

  test.each<[string, string, number]>([
    ['application/x-www-form-urlencoded', `query=${encodeURIComponent(query)}`, 415],
    ['text/plain', JSON.stringify({ query }), 415],
    ['application/graphql', query, 415],
    ['application/xml', '<query/>', 415],
  ])('that a form of a foreign page can send are refused: %s', async (type, body, status) => {
    const response = await gateway.post(body, 'ada', { 'content-type': type });
    expect(response.status).toBe(status);
    expect(await response.text()).not.toContain('"ada"');
  });

  test('with a huge body are refused', async () => {
    const response = await gateway.post({ query, variables: { x: 'x'.repeat(1_000_000) } });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'too-large' } }] });
  });

  test.each([
    'null',
    '1',
    '"x"',
    '{"query": 1}',
    '{"query": null}',
    '{}',
    '{"query":"{ me { name } }","variables":1}',
  ])('with a body that is no request are refused: %s', async (body) => {
    const response = await gateway.post(body);
    expect(await response.json()).toMatchObject({ errors: [{ message: expect.any(String) }] });
  });

  test('of which none is chosen are refused', async () => {
    const { status, errors } = await gateway.graphql('query A { me { name } } query B { me { name } }');
    expect([status, errors.length]).toEqual([400, 1]);
  });

  test('with a body that is no JSON are refused', async () => {
    const response = await gateway.post('{');
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'invalid-input' } }] });
  });

  test('with __proto__ are refused', async () => {
    const response = await gateway.post('{"query":"{ me { name } }","__proto__":{"a":1}}');
    expect(response.status).toBe(400);
  });

  const get = (parameters: Record<string, string>, headers: Record<string, string> = {}) =>
    fetch(`${gateway.url}/graphql?${new URLSearchParams(parameters)}`, {
      headers: { accept: 'application/json', ...gateway.headers('ada'), ...headers },
    });
  test('by GET may read', async () => {
    const response = await get({ query });
    expect([response.status, await response.json()]).toEqual([200, { data: { me: { name: 'ada' } } }]);
  });

  test('by GET may not change anything', async () => {
    const response = await get({ query: 'mutation { createProject(name: "by-get") { __typename } }' });
    expect(response.status).toBe(405);
    const { projects } = await gateway.data('{ projects { name } }', {}, 'admin');
    expect(projects).toEqual([{ name: 'apps' }]);
  });

  test.each(['PUT', 'DELETE', 'PATCH'])('by %s are refused', async (method) => {
    const response = await fetch(`${gateway.url}/graphql`, { method, headers: gateway.headers('ada') });
    expect(response.status).toBe(404);
  });

  test('from other origins get no permission to read', async () => {
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('Values', () => {
  const LIST = 'query ($f: BundleRequestFilter) { bundleRequests(filter: $f) { totalCount } }';

  test.each(['number: 2147483648', 'number: -2147483649', 'number: 1e3', 'number: 1.5', 'number: "1"'])(
    '%s is no number',
    async (argument) => {
      const { data, errors } = await gateway.graphql(`{ bundleRequest(${argument}) { id } }`);
      expect(data).toBeNull();
      expect(errors[0]!.message).toMatch(/Int cannot represent/);
    },
  );

  test.each([2 ** 31, 2 ** 53, -(2 ** 31) - 1, 1.5, '1', true])(
    '%j is no number as a variable',
    async (n) => {
      const { status, errors } = await gateway.graphql(
        'query ($n: Int!) { bundleRequest(number: $n) { id } }',
        { n },
      );
      expect(status).toBe(400);
      expect(errors[0]!.message).toMatch(/Int cannot represent/);
    },
  );

  test.each([2 ** 31 - 1, 0, -1])('there is no request %i', async (n) => {
    expect(await gateway.data('query ($n: Int!) { bundleRequest(number: $n) { id } }', { n })).toEqual({
      bundleRequest: null,
    });
  });

  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  test.each([
    'x',
    '',
    base64('BundleRequest'),
    base64('BundleRequest:'),
    base64('BundleRequest:abc'),
    base64('BundleRequest:-1'),
    base64('BundleRequest:1.5'),
    base64('BundleRequest:1e3'),
    base64('BundleRequest: 1'),
    base64(`BundleRequest:${'9'.repeat(30)}`),
    base64('BundleRequest:1\0'),
    base64('User:1'),
    base64('__proto__:1'),
    '\u{1F600}',
  ])('%j is no id', async (id) => {
    const { status, data, errors } = await gateway.graphql('query ($id: ID!) { node(id: $id) { id } }', {
      id,
    });
    expect([status, data]).toEqual([200, { node: null }]);
    expect(errors.map(({ extensions }) => extensions?.code)).toEqual(errors.map(() => 'invalid-input'));
  });

  const NUL = 'a\0b';
  const HALF = 'a\ud800b';
  const SUBMIT = `mutation ($i: SubmitBundleRequestInput!) { submitBundleRequest(input: $i) { __typename } }`;
  test.each<[string, string, object]>([
    ['a filter', LIST, { f: { repository: NUL } }],
    ['a filter', LIST, { f: { user: HALF } }],
    ['a component', 'query ($n: String) { components(name: $n) { nodes { purl } } }', { n: NUL }],
    [
      'a submission',
      SUBMIT,
      { i: { repository: 'https://a.example/', packages: [{ manager: 'PIP', requirementsFiles: [HALF] }] } },
    ],
    [
      'a submission',
      SUBMIT,
      {
        i: {
          repository: 'https://a.example/',
          dependencyReplacements: [{ type: 'gomod', name: NUL, version: '1' }],
        },
      },
    ],
    ['a name', 'mutation ($n: String!) { revokeToken(name: $n) { __typename } }', { n: NUL }],
    [
      'a project',
      'mutation ($n: String!) { setProjectMember(project: "apps", user: $n, role: VIEWER) { __typename } }',
      { n: NUL },
    ],
    ['a literal', '{ tokens(user: "a\\u0000b") { name } }', {}],
    ['a literal', 'mutation { createUser(name: "x", password: "a\\u0000bcdefgh") { __typename } }', {}],
  ])('texts that cannot be stored are refused: %s', async (_title, query, variables) => {
    const { data, errors } = await gateway.graphql(query, { ...variables }, 'admin');
    expect(data).toBeNull();
    expect(errors).toMatchObject([
      {
        message: 'Texts must not contain NUL characters or halves of surrogate pairs',
        extensions: { code: 'invalid-input' },
      },
    ]);
  });

  test('and over subscriptions', async () => {
    const query = 'subscription ($after: String) { bundleRequestFeed(after: $after) { cursor } }';
    for await (const { errors } of gateway.sse(query, { after: NUL })) {
      expect(errors).toMatchObject([{ extensions: { code: 'invalid-input' } }]);
    }
  });

  test.each(['repository', 'ref', 'project', 'user'])('a very long %s finds nothing', async (field) => {
    const filter = { [field]: 'x'.repeat(900_000) };
    expect(await gateway.data(LIST, { f: filter })).toEqual({ bundleRequests: { totalCount: 0 } });
  });

  test.each([
    ['createProject(name: "LONG")', 'InvalidInputError'],
    ['createUser(name: "LONG")', 'InvalidInputError'],
    ['createToken(name: "LONG")', 'InvalidInputError'],
    ['revokeToken(name: "LONG")', 'NotFoundError'],
    ['submitBundleRequest(input: { repository: "https://LONG.example" })', 'InvalidInputError'],
  ])('very long names are refused: %s', async (call, expected) => {
    const query = `mutation { x: ${call} { __typename } }`.replace('LONG', 'x'.repeat(500_000));
    expect((await gateway.data(query, {}, 'admin')).x.__typename).toBe(expected);
  });
});

describe('Errors', () => {
  test('that nobody expected are masked and logged', async () => {
    const { sql } = gateway.stack.database;
    await sql.query('alter table project_members rename to away');
    gateway.logged.length = 0;
    const { status, data, errors } = await gateway.graphql('{ projects { name } }');
    const mutation = await gateway.graphql('mutation { createProject(name: "masked") { __typename } }');
    await sql.query('alter table away rename to project_members');
    expect([status, data]).toEqual([200, null]);
    expect(errors).toEqual([
      {
        message: 'Something went wrong in the server',
        path: ['projects'],
        locations: expect.any(Array),
        extensions: { code: 'internal' },
      },
    ]);
    expect(mutation.errors).toMatchObject([{ extensions: { code: 'internal' } }]);
    const logged = gateway.logged.filter(({ msg }) => msg === 'GraphQL resolver failed');
    expect(logged).toHaveLength(2);
    expect(JSON.stringify(logged)).toContain('project_members');
    // Nothing of a failed mutation is kept.
    expect((await gateway.data('{ projects { name } }', {}, 'admin')).projects).toEqual([{ name: 'apps' }]);
  });

  test('of the domain are not logged as defects', async () => {
    gateway.logged.length = 0;
    await gateway.graphql('{ workers { id } }', {}, 'eve');
    await gateway.graphql('{ bundleRequests(first: -1) { totalCount } }');
    expect(gateway.logged.filter(({ level }) => (level as number) >= 50)).toEqual([]);
  });
});

describe('Without introspection', () => {
  let hidden: TestGateway;
  beforeAll(async () => {
    hidden = await TestGateway.start({ environment: { STOWAGE_GRAPHQL_INTROSPECTION: 'false' } });
  });
  afterAll(async () => await hidden?.close());

  test.each([
    [getIntrospectionQuery(), 'GraphQL introspection has been disabled'],
    ['{ __type(name: "Query") { name } }', 'GraphQL introspection has been disabled'],
    ['{ mee { name } }', 'Cannot query field "mee" on type "Query".'],
    ['{ tokens(usr: "a") { name } }', 'Unknown argument "usr" on field "Query.tokens".'],
    ['{ bundleRequests(filter: { states: [COMPLET] }) { totalCount } }', 'Value "COMPLET" does not exist'],
  ])('the schema is not told of: %s', async (query, message) => {
    const { data, errors } = await hidden.graphql(query);
    expect(data).toBeNull();
    expect(errors[0]!.message).toContain(message);
    expect(JSON.stringify(errors)).not.toContain('Did you mean');
  });

  test('nor by values of variables', async () => {
    const query = 'query ($f: BundleRequestFilter) { bundleRequests(filter: $f) { totalCount } }';
    for (const f of [{ stats: [] }, { states: ['COMPLET'] }]) {
      const { errors } = await hidden.graphql(query, { f });
      expect(errors).toHaveLength(1);
      expect(JSON.stringify(errors)).not.toContain('Did you mean');
    }
    expect((await hidden.graphql('{ __typename me { __typename } }')).errors).toEqual([]);
  });
});
