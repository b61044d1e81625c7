import { createClient } from 'graphql-ws';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Caller, TestGateway } from '../../support/gateway.ts';

/** Subscriptions outlive neither a token nor the rights of their user. */
let gateway: TestGateway;

const FEED = 'subscription { bundleRequestFeed(after: "0.0") { number } }';
const ENDED = { message: 'Wrong credentials', extensions: { code: 'unauthenticated' } };

beforeAll(async () => {
  gateway = await TestGateway.start({ credentialsCheckMs: 20 });
});
afterAll(() => gateway.close());

async function revokeTokens(userName: string, tokenName = 'test'): Promise<void> {
  await gateway.stack.database.sql.query(
    'delete from tokens using users u where u.id = user_id and u.name = $1 and tokens.name = $2',
    [userName, tokenName],
  );
}

async function submit(as: Caller): Promise<void> {
  await gateway.data(
    `mutation { submitBundleRequest(input: { repository: "https://git.example/x.git" }) {
      __typename ... on Error { message } } }`,
    {},
    as,
  );
}

/** The results of an open feed, which is open for sure: it has shown a request. */
async function openFeed(as: Caller): Promise<AsyncGenerator<{ data: unknown; errors: unknown }>> {
  await submit(as);
  const results = gateway.sse(FEED, {}, as);
  expect(await results.next()).toMatchObject({ done: false, value: { errors: [] } });
  return results;
}

async function last<T>(results: AsyncIterable<T>): Promise<T | undefined> {
  let latest: T | undefined;
  for await (const one of results) latest = one;
  return latest;
}

test('a stream ends with an error when its token is revoked, and is counted no longer', async () => {
  const open = await gateway.metric('stowage_subscribers');
  const results = await openFeed('eve');
  await revokeTokens('eve');
  expect(await last(results)).toMatchObject({ data: null, errors: [ENDED] });
  await expect.poll(() => gateway.metric('stowage_subscribers')).toBe(open);
});

test('a stream ends with an error when its user loses rights', async () => {
  const results = await openFeed('admin');
  await gateway.stack.database.sql.query("update users set is_admin = false where name = 'admin'");
  expect(await last(results)).toMatchObject({
    data: null,
    errors: [{ extensions: { code: 'unauthenticated' } }],
  });
});

test('a web socket: its subscription ends, and it takes no further operations', async () => {
  const client = createClient({
    url: `${gateway.url.replace('http', 'ws')}/graphql`,
    connectionParams: { authorization: gateway.authorizations.bob },
    // One connection for all of them.
    lazy: false,
    retryAttempts: 0,
  });
  const query = client.iterate({ query: '{ me { name } }' });
  expect(await query.next()).toMatchObject({ value: { data: { me: { name: 'bob' } } } });
  await submit('bob');
  const results = client.iterate({ query: FEED });
  expect(await results.next()).toMatchObject({ value: { data: { bundleRequestFeed: expect.anything() } } });
  await revokeTokens('bob');
  expect(await last(results)).toMatchObject({ errors: [ENDED] });
  expect(await results.next()).toMatchObject({ done: true });
  const later = client.iterate({ query: '{ me { name } }' });
  await expect(later.next()).rejects.toMatchObject([ENDED]);
  await client.dispose();
});

test('a database that is away for a moment ends nothing', async () => {
  const { sql } = gateway.stack.database;
  const results = await openFeed('ada');
  const { query } = sql;
  let asked = 0;
  sql.query = (...given) => {
    if (!given[0].includes('tokens')) return query.apply(sql, given) as never;
    asked += 1;
    return Promise.reject(new Error('away'));
  };
  try {
    await expect.poll(() => asked).toBeGreaterThan(2);
  } finally {
    sql.query = query;
  }
  await revokeTokens('ada');
  expect(await last(results)).toMatchObject({ errors: [ENDED] });
});
