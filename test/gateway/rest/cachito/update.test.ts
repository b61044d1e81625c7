import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findSteps } from '../../../../src/domain/database/sql/bundle-request-rows.ts';
import { TestGateway } from '../../../support/gateway.ts';
import { take } from '../../../support/requests.ts';
import { CachitoCalls } from './cachito-calls.ts';

/** PATCH /api/v1/requests/{id}: every text and effect of cachito.md 1.9. */
let gateway: TestGateway;
let client: CachitoCalls;
let id: number;

beforeAll(async () => {
  gateway = await TestGateway.start({ environment: { STOWAGE_WORKER_USERNAMES: 'ada' } });
  client = new CachitoCalls(gateway);
});

beforeEach(async () => {
  id = await client.submit({ pkg_managers: ['npm'] });
});

afterAll(() => gateway.close());

const patch = (body: unknown, number = id) => client.json('PATCH', `/requests/${number}`, { body });

async function accepted(body: object): Promise<void> {
  const { status, text, headers } = await client.call('PATCH', `/requests/${id}`, { body });
  expect([status, text, headers.get('content-type')]).toEqual([200, '', 'text/html; charset=utf-8']);
}

const change = (state: unknown, state_reason: unknown = 'because') => ({ state, state_reason });
const variable = (info: unknown) => ({
  environment_variables: { GOOD: { kind: 'path', value: 'x' }, A: info },
});

describe('What is refused, in this order', () => {
  test.each<[string, unknown, string]>([
    ['an array', [], 'The input data must be a JSON object'],
    ['null', null, 'The input data must be a JSON object'],
    ['nothing', {}, 'At least one key must be specified to update the request'],
    [
      'unknown keys, before values',
      { state: 5, b: 1, a: 1, package: [], dependencies: [] },
      'The following keys are not allowed: a, b, dependencies, package',
    ],
    ...['x', [], null].map((environment_variables): [string, unknown, string] => [
      `variables ${JSON.stringify(environment_variables)}`,
      { environment_variables },
      'The value for "environment_variables" must be an object',
    ]),
    ...['x', [], null].map((info): [string, unknown, string] => [
      `info ${JSON.stringify(info)}`,
      variable(info),
      'The info of environment variables must be an object',
    ]),
    [
      'an empty info',
      variable({}),
      'The following keys must be set in the info of the environment variables: kind, value',
    ],
    [
      'an info without a kind, before other keys',
      variable({ value: 5, x: 1 }),
      'The following keys must be set in the info of the environment variables: kind',
    ],
    [
      'other keys in an info, before its values',
      variable({ value: 5, kind: 5, y: 1, x: 1 }),
      'The following keys are not allowed in the info of the environment variables: x, y',
    ],
    [
      'a value that is no text',
      variable({ value: 5, kind: 5 }),
      'The value of environment variables must be a string',
    ],
    [
      'a kind that is no text',
      variable({ value: '', kind: null }),
      'The kind of environment variables must be a string',
    ],
    [
      'another kind',
      variable({ value: '', kind: 'q' }),
      'The environment variable kind, q, is not supported',
    ],
    ...['packages_count', 'dependencies_count'].flatMap((key) =>
      ['1', 1.5, true, null, 1e10].map((value): [string, unknown, string] => [
        `${key} ${JSON.stringify(value)}`,
        { [key]: value },
        `The value for "${key}" must be an integer`,
      ]),
    ),
    ...['state', 'state_reason', 'error_origin', 'error_type'].flatMap((key) =>
      [5, null, ['complete']].map((value): [string, unknown, string] => [
        `${key} ${JSON.stringify(value)}`,
        { [key]: value },
        `The value for "${key}" must be a string`,
      ]),
    ),
    [
      'values in the order of the body',
      '{"state_reason":5,"state":5,"packages_count":"x"}',
      'The value for "state_reason" must be a string',
    ],
    [
      'an origin that there is not',
      { error_origin: 'moon' },
      'moon is not a valid error origin. Valid origins are: client, server',
    ],
    ['a state alone', { state: 'x' }, 'The "state_reason" key is required when "state" is supplied'],
    ['a reason alone', { state_reason: 'x' }, 'The "state" key is required when "state_reason" is supplied'],
    [
      'a state that there is not',
      change('foo'),
      'The state "foo" is invalid. It must be one of: complete, failed, in_progress, stale.',
    ],
    [
      'a state of ours only',
      change('cancelled'),
      'The state "cancelled" is invalid. It must be one of: complete, failed, in_progress, stale.',
    ],
    [
      'what no database keeps',
      change('failed', 'a\0b'),
      'Texts must not contain NUL characters or halves of surrogate pairs',
    ],
  ])('%s', async (_title, body, error) => {
    const before = await client.request(id);
    expect(await patch(body)).toEqual([400, { error }]);
    expect(await client.request(id)).toEqual(before);
  });

  test('an unknown request: after the body, before its state', async () => {
    expect(await patch({}, 4_000)).toEqual([400, expect.anything()]);
    for (const number of ['4000', '0', '2147483648', '99999999999999999999']) {
      expect(await client.json('PATCH', `/requests/${number}`, { body: change('foo') })).toEqual([
        404,
        { error: 'The requested resource was not found' },
      ]);
    }
  });

  test.each([
    ['complete', 'complete'],
    ['complete', 'failed'],
    ['complete', 'in_progress'],
    ['failed', 'complete'],
    ['failed', 'failed'],
    ['failed', 'in_progress'],
    ['stale', 'complete'],
    ['stale', 'failed'],
    ['stale', 'in_progress'],
    ['stale', 'stale'],
  ])('from %s to %s', async (from, to) => {
    await accepted(change(from));
    const before = await client.request(id);
    expect(await patch({ packages_count: 7, ...change(to, 'another reason') })).toEqual([
      400,
      { error: `State transition is not allowed from ${from} to ${to}.` },
    ]);
    expect(await client.request(id)).toEqual(before);
  });

  test('a cancelled request has failed', async () => {
    await gateway.data(`mutation { cancelBundleRequest(number: ${id}) { __typename } }`);
    expect(await patch(change('in_progress'))).toEqual([
      400,
      { error: 'State transition is not allowed from failed to in_progress.' },
    ]);
    await accepted(change('stale'));
  });
});

describe('Effects', () => {
  test.each([[['complete', 'stale']], [['failed', 'stale']], [['in_progress', 'complete']], [['stale']]])(
    'states %j',
    async (states) => {
      for (const state of states) await accepted(change(state, `now ${state}`));
      const { state, state_reason, state_history, updated } = await client.request(id);
      expect([state, state_reason]).toEqual([states.at(-1), `now ${states.at(-1)}`]);
      expect(state_history.map((entry: { state_reason: string }) => entry.state_reason)).toEqual([
        ...states.toReversed().map((name) => `now ${name}`),
        'The request was initiated',
      ]);
      expect(updated).toBe(state_history[0].updated);
    },
  );

  test.each(['in_progress', 'complete', 'failed', 'stale'])(
    '%s with the same reason twice is one change',
    async (state) => {
      await accepted(change(state));
      const before = await client.request(id);
      await accepted(change(state));
      expect(await client.request(id)).toEqual(before);
    },
  );

  test('a new reason moves "updated"', async () => {
    const { updated } = await client.request(id);
    await accepted(change('in_progress', 'Fetching'));
    expect((await client.request(id)).updated > updated).toBe(true);
  });

  test('counts and variables are there at once; of two values the later one counts', async () => {
    await accepted({
      packages_count: 3,
      dependencies_count: 5,
      environment_variables: { GOPATH: { kind: 'path', value: 'deps/gomod' } },
    });
    await accepted({
      environment_variables: {
        GOPATH: { kind: 'literal', value: '/go' },
        A: { kind: 'literal', value: 'a' },
      },
    });
    const [, { items }] = (await client.json('GET', '/requests')) as [
      number,
      { items: { id: number; packages: number; dependencies: number }[] },
    ];
    expect(items.find((item) => item.id === id)).toMatchObject({ packages: 3, dependencies: 5 });
    expect((await client.request(id)).environment_variables).toEqual({ A: 'a', GOPATH: '/go' });
    expect(await client.json('GET', `/requests/${id}/environment-variables`)).toEqual([
      200,
      { A: { kind: 'literal', value: 'a' }, GOPATH: { kind: 'literal', value: '/go' } },
    ]);
  });

  test('an error is recorded with both keys only, and stays when the request becomes stale', async () => {
    await accepted({ ...change('failed', 'It broke'), error_origin: 'client', error_type: 'GitError' });
    expect(await client.request(id)).toMatchObject({ error_origin: 'client', error_type: 'GitError' });
    await accepted(change('stale'));
    expect(await client.request(id)).toMatchObject({ error_origin: 'client', error_type: 'GitError' });

    const other = await client.submit();
    expect(
      (await client.call('PATCH', `/requests/${other}`, { body: { ...change('failed'), error_type: 'X' } }))
        .status,
    ).toBe(200);
    expect(Object.keys(await client.request(other))).not.toContain('error_type');
  });

  test.each(['complete', 'failed', 'stale'])('%s from outside ends our own steps', async (state) => {
    const { database } = gateway.stack;
    const lease = await take(database, { id, attempt: 1 } as Parameters<typeof take>[1], 'fetch-source');
    await accepted(change(state));
    const steps = await findSteps(database.sql, id);
    expect(steps.map((step) => step.state)).toEqual(['cancelled', 'cancelled', 'cancelled']);
    // A worker that had the step, or gets its job only now, changes nothing.
    expect(lease).not.toBeNull();
    expect(await take(database, lease!.request, 'fetch-source')).toBeNull();
  });
});

describe('POST configuration-files (cachito.md 1.10)', () => {
  const file = { type: 'base64', path: 'app/.npmrc', content: 'YQ==' };
  const add = (body: unknown, number = id) =>
    client.json('POST', `/requests/${number}/configuration-files`, { body });
  const files = async () => (await client.json('GET', `/requests/${id}/configuration-files`))[1];

  test.each<[string, unknown, string]>([
    ['an object', {}, 'The input data must be a JSON array'],
    ['null', null, 'The input data must be a JSON array'],
    ...['x', null, [file]].map((one): [string, unknown, string] => [
      `a file ${JSON.stringify(one)}`,
      [file, one],
      'The base64 configuration file must be a JSON object',
    ]),
    [
      'a file without a path, before other keys',
      [file, { type: 'x', content: 5, z: 1 }],
      'The following keys for the base64 configuration file are missing: path',
    ],
    [
      'an empty file',
      [{}],
      'The following keys for the base64 configuration file are missing: content, path, type',
    ],
    [
      'other keys, before the type',
      [{ ...file, type: 'x', z: 1, y: 1 }],
      'The following keys for the base64 configuration file are invalid: y, z',
    ],
    [
      'another type, before the path',
      [{ ...file, type: 'x', path: 5 }],
      'The configuration type of "x" is invalid',
    ],
    ['a type that is no text', [{ ...file, type: 5 }], 'The configuration type of "5" is invalid'],
    [
      'a path that is no text, before the content',
      [{ ...file, path: 5, content: 5 }],
      'The base64 configuration file key of "path" must be a string',
    ],
    [
      'a content that is no text',
      [{ ...file, content: null }],
      'The base64 configuration file key of "content" must be a string',
    ],
    [
      'what no database keeps',
      [{ ...file, path: 'a\0' }],
      'Texts must not contain NUL characters or halves of surrogate pairs',
    ],
  ])('refuses %s, and all files with it', async (_title, body, error) => {
    expect(await add(body)).toEqual([400, { error }]);
    expect(await files()).toEqual([]);
  });

  test('an unknown request: after the array, before its items', async () => {
    expect(await add({}, 4_000)).toEqual([400, { error: 'The input data must be a JSON array' }]);
    expect(await add([5], 4_000)).toEqual([404, { error: 'The requested resource was not found' }]);
  });

  test('files are kept in any state, equal ones once, different ones of a path both, whatever they hold', async () => {
    const other = { ...file, content: 'Yg==' };
    const odd = { ...file, path: 'app/.bundle/config', content: 'no base64 at all!' };
    for (const body of [[], [file], [file, other], [odd]]) {
      const { status, text } = await client.call('POST', `/requests/${id}/configuration-files`, { body });
      expect([status, text]).toEqual([204, '']);
    }
    await accepted(change('stale'));
    expect(await files()).toEqual([odd, file, other]);
  });
});

test('`updated` moves with every reason, also when the clock goes back', async () => {
  await gateway.stack.database.sql.query(
    "update bundle_requests set updated_at = '2100-01-01T00:00:00.999999Z' where id = $1",
    [id],
  );
  const seen: string[] = [];
  for (const state_reason of ['one', 'two', 'two', 'three']) {
    await accepted({ state: 'in_progress', state_reason });
    seen.push((await client.request(id)).updated);
  }
  expect(seen).toEqual([
    '2100-01-01T00:00:01.000000',
    '2100-01-01T00:00:01.000001',
    '2100-01-01T00:00:01.000001',
    '2100-01-01T00:00:01.000002',
  ]);
});
