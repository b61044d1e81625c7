import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BEGUN, DONE, type StoredRequest, storeRequest } from '../../../support/cachito-requests.ts';
import { type Caller, TestGateway } from '../../../support/gateway.ts';

const A = 'https://git.example/org/a.git';
const B = 'ssh://git@git.example:2222/org/b.git/';
const [REF_A, REF_B] = ['a'.repeat(40), 'b'.repeat(40)];

const end = (state: string, at: string): [string, string, string] => [state, `It is ${state}`, at];
const begin = (at: string): [string, string, string] => [BEGUN[0], BEGUN[1], at];

/** In the order in which they are stored. */
const REQUESTS: StoredRequest[] = [
  { repository: A, ref: REF_A, packageManagers: ['npm', 'pip'], packages: [] },
  {
    repository: A,
    ref: REF_B,
    packageManagers: ['npm'],
    states: [begin('2021-07-08T00:00:00Z'), end('failed', '2021-07-08T00:00:10Z')],
    error: { errorOrigin: 'client', errorType: 'InvalidRepoStructure' },
  },
  {
    repository: B,
    ref: REF_A,
    packageManagers: ['gomod'],
    states: [begin('2021-07-08T23:59:59.999999Z'), end('stale', '2021-07-10T00:00:00Z')],
    error: { errorOrigin: 'server', errorType: 'NetworkError' },
  },
  { repository: 'git@git.example:org/ham', ref: REF_A, states: [begin('2021-07-09T00:00:00.000001Z')] },
  {
    repository: A,
    ref: REF_A,
    rules: 'native',
    states: [begin('2021-07-09T10:00:00Z'), end('cancelled', '2021-07-09T10:00:01Z')],
  },
];

let gateway: TestGateway;
let numbers: number[];

const get = (path: string, as: Caller = 'admin'): Promise<Response> =>
  fetch(`${gateway.url}/api/v1${path}`, { headers: gateway.headers(as) });

interface List {
  items: Record<string, unknown>[];
  meta: Record<string, unknown>;
}
const list = async (query: string, as: Caller = 'admin'): Promise<List> => {
  const response = await get(`/requests${query}`, as);
  expect(response.status).toBe(200);
  return (await response.json()) as List;
};
const indexesOf = ({ items }: List): number[] => items.map(({ id }) => numbers.indexOf(id as number));

beforeAll(async () => {
  gateway = await TestGateway.start();
  numbers = [];
  for (const one of REQUESTS) numbers.push(await storeRequest(gateway.stack.database.sql, one));
});
afterAll(async () => {
  await gateway?.close();
});

describe('Filters', () => {
  test.each<[string, number[]]>([
    ['', [4, 3, 2, 1, 0]],
    ['?state=complete', [0]],
    ['?state=failed', [4, 1]],
    ['?state=in_progress', [3]],
    ['?state=stale', [2]],
    ['?state=', [4, 3, 2, 1, 0]],
    ['?state=complete&state=failed', [0]],
    [`?repo=${encodeURIComponent(A)}`, [4, 1, 0]],
    [`?repo=${encodeURIComponent(B)}`, [2]],
    ['?repo=https://git.example/org/a', []],
    ['?repo=', [4, 3, 2, 1, 0]],
    ['?repo=%00', []],
    ['?repo=%ED%A0%80', []],
    [`?ref=${REF_B}`, [1]],
    ['?ref=', [4, 3, 2, 1, 0]],
    ['?pkg_manager=npm', [4, 3, 1, 0]],
    ['?pkg_manager=npm&pkg_manager=pip', [0]],
    ['?pkg_manager=npm&pkg_manager=', [4, 3, 1, 0]],
    ['?pkg_manager=git-submodule', []],
    ['?created_from=2021-07-08', [4, 3, 2, 1]],
    ['?created_from=2021-07-08T23:59:59.999999', [4, 3, 2]],
    ['?created_from=2021-07-09', [4, 3]],
    ['?created_from=2021-07-09T12:00:00%2B02:00', [4]],
    ['?created_from=2021-07-09T12:00:00+02:00', [4]],
    ['?created_to=2021-07-08', [2, 1, 0]],
    ['?created_to=2021-07-08T00:00', [1, 0]],
    ['?created_to=2021-07-07T18:02:35.149979', [0]],
    ['?created_to=2021-07-07T18:02:35.149978Z', []],
    ['?created_from=&created_to=', [4, 3, 2, 1, 0]],
    ['?error_origin=client', [1]],
    ['?error_origin=server', [2]],
    ['?error_origin=', [4, 3, 2, 1, 0]],
    ['?error_type=NetworkError', [2]],
    ['?error_type=networkerror', []],
    ['?error_type=%00', []],
    [`?state=complete&repo=${encodeURIComponent(A)}&ref=${REF_A}&pkg_manager=pip&created_to=2021-07-08`, [0]],
    ['?unknown=1&__proto__=1&constructor=2', [4, 3, 2, 1, 0]],
    ['?verbose=nonsense', [4, 3, 2, 1, 0]],
  ])('%s', async (query, expected) => {
    const found = await list(query);
    expect(indexesOf(found)).toEqual(expected);
    expect(found.meta.total).toBe(expected.length);
  });

  test.each<[Caller, number[]]>([
    ['anonymous', [3, 2, 1, 0]],
    ['eve', [4, 3, 2, 1, 0]],
    ['writer', [3, 2, 1, 0]],
  ])('%s sees what it may', async (caller, expected) => {
    expect(indexesOf(await list('', caller))).toEqual(expected);
  });

  test.each([
    [
      'state=done',
      'done is not a valid request state. Valid states are: complete, failed, in_progress, stale',
    ],
    [
      'state=cancelled',
      'cancelled is not a valid request state. Valid states are: complete, failed, in_progress, stale',
    ],
    [
      'state=COMPLETE',
      'COMPLETE is not a valid request state. Valid states are: complete, failed, in_progress, stale',
    ],
    ['ref=zz', 'zz is not a valid ref.'],
    [`ref=${'A'.repeat(40)}`, `${'A'.repeat(40)} is not a valid ref.`],
    [`ref=${REF_A}%0A`, `${REF_A}\n is not a valid ref.`],
    ['pkg_manager=zz', 'Cachito does not have package manager zz.'],
    ['pkg_manager=npm&pkg_manager=maven', 'Cachito does not have package manager maven.'],
    ['error_origin=me', 'me is not a valid error origin. Valid origins are: client, server'],
    [
      'state=x&repo=y&ref=z&pkg_manager=a&created_from=b&error_origin=c&page=0',
      'x is not a valid request state. Valid states are: complete, failed, in_progress, stale',
    ],
    ['page=0&error_origin=c&pkg_manager=a&ref=z', 'z is not a valid ref.'],
    ['page=0&error_origin=c&pkg_manager=a', 'Cachito does not have package manager a.'],
    ['page=0&error_origin=c', 'c is not a valid error origin. Valid origins are: client, server'],
  ])('%s', async (query, error) => {
    const response = await get(`/requests?${query}`);
    expect([response.status, await response.json()]).toEqual([400, { error }]);
  });

  test.each([
    'abc',
    '2021',
    '2021-13-01',
    '2021-02-30',
    '0000-01-01',
    '2021-07-08T25:00',
    '2021-07-08T10',
    '01.02.2021',
    '9999-12-31T23:59:59-14:00',
    '2021-07-08T10:00:00+99:00',
    '\u0000',
  ])('created_from=%s is no time', async (text) => {
    const error = `'${text}' is not a valid datetime(ISO 8601 format).`;
    const response = await get(`/requests?created_from=${encodeURIComponent(text)}`);
    expect([response.status, await response.json()]).toEqual([
      400,
      { error, errors: { created_from: error } },
    ]);
  });

  test('several parameters that are no times are all told', async () => {
    const response = await get('/requests?created_to=y&created_from=x&error_origin=z');
    expect(await response.text()).toBe(
      '{"error":"\'x\' is not a valid datetime(ISO 8601 format).","errors":{' +
        '"created_from":"\'x\' is not a valid datetime(ISO 8601 format).",' +
        '"created_to":"\'y\' is not a valid datetime(ISO 8601 format)."}}\n',
    );
  });
});

describe('Items', () => {
  test('short, byte for byte', async () => {
    const { items } = await list('?state=complete');
    expect(JSON.stringify(items)).toBe(
      `[{"created":"2021-07-07T18:02:35.149979","dependencies":0,"environment_variables":{},"flags":[],` +
        `"id":${numbers[0]},"packages":0,"pkg_managers":["npm","pip"],"ref":"${REF_A}","repo":"${A}","state":"complete",` +
        '"state_reason":"Completed successfully","submitted_by":null,"updated":"2021-07-07T18:02:37.000000","user":null}]',
    );
    expect((await list('?state=in_progress')).items).toMatchObject([{ packages: null, dependencies: null }]);
    expect((await list('?error_origin=server')).items).toMatchObject([
      { error_origin: 'server', error_type: 'NetworkError' },
    ]);
  });

  test.each(['true', 'True', 'TRUE', '1'])('verbose=%s: as one request', async (verbose) => {
    const { items, meta } = await list(`?verbose=${verbose}`);
    expect(items[4]).toEqual(await (await get(`/requests/${numbers[0]}`)).json());
    expect(items[0]).toMatchObject({ state: 'failed', packages: [], logs: {} });
    expect(meta.first).toBe(`${gateway.url}/api/v1/requests?page=1&per_page=10&verbose=True`);
  });

  test.each(['yes', '0', 'false', '', 'tru'])('verbose=%s: short', async (verbose) => {
    const { items, meta } = await list(`?verbose=${verbose}`);
    expect(items[0]).not.toHaveProperty('logs');
    expect(meta.first).toBe(`${gateway.url}/api/v1/requests?page=1&per_page=10`);
  });

  test('HEAD of both', async () => {
    for (const query of ['', '?verbose=1']) {
      const response = await fetch(`${gateway.url}/api/v1/requests${query}`, { method: 'HEAD' });
      expect([response.status, await response.text()]).toEqual([200, '']);
    }
  });
});

describe('Pages', () => {
  const url = (): string => `${gateway.url}/api/v1/requests`;

  test('the first, one in the middle, the last', async () => {
    expect((await list('?per_page=2')).meta).toEqual({
      first: `${url()}?page=1&per_page=2`,
      last: `${url()}?page=3&per_page=2`,
      next: `${url()}?page=2&per_page=2`,
      previous: null,
      page: 1,
      pages: 3,
      per_page: 2,
      total: 5,
    });
    const middle = await list('?per_page=2&page=2');
    expect(indexesOf(middle)).toEqual([2, 1]);
    expect(middle.meta).toMatchObject({
      next: `${url()}?page=3&per_page=2`,
      previous: `${url()}?page=1&per_page=2`,
      page: 2,
    });
    expect((await list('?per_page=2&page=3')).meta).toMatchObject({
      next: null,
      previous: `${url()}?page=2&per_page=2`,
    });
  });

  test('an empty set has one page, whose last one is none', async () => {
    expect(await list('?pkg_manager=rubygems')).toEqual({
      items: [],
      meta: {
        first: `${url()}?page=1&per_page=10&pkg_manager=rubygems`,
        last: `${url()}?page=0&per_page=10&pkg_manager=rubygems`,
        next: null,
        previous: null,
        page: 1,
        pages: 0,
        per_page: 10,
        total: 0,
      },
    });
  });

  test.each<[string, number]>([
    ['', 10],
    ['?per_page=x', 10],
    ['?per_page=', 10],
    ['?per_page=1.5', 10],
    ['?per_page=3', 3],
    ['?per_page=%203', 3],
    ['?per_page=100', 100],
    ['?per_page=101', 100],
    [`?per_page=${'9'.repeat(400)}`, 100],
  ])('%s: %d a page', async (query, perPage) => {
    expect((await list(query)).meta.per_page).toBe(perPage);
  });

  test.each([
    'page=x',
    'page=',
    'page=0',
    'page=-1',
    'page=1.5',
    'page=2',
    'page=99999999999',
    `page=${'9'.repeat(400)}`,
    'per_page=0',
    'per_page=-5',
    'page=2&pkg_manager=rubygems',
    'page=1&per_page=0&pkg_manager=rubygems',
  ])('%s is no page', async (query) => {
    const response = await get(`/requests?${query}`);
    expect([response.status, await response.text()]).toEqual([
      404,
      '{"error":"The requested resource was not found"}\n',
    ]);
  });

  test('links carry all filters, in their order', async () => {
    const { meta } = await list(
      `?error_type=a%26b&error_origin=client&created_to=2021-07-08&created_from=2021-07-07T00:00%2B01:00` +
        `&pkg_manager=pip&pkg_manager=npm&ref=${REF_A}&repo=${encodeURIComponent('a b/ü?&')}&verbose=1&state=stale&junk=1`,
    );
    expect(meta.first).toBe(
      `${url()}?page=1&per_page=10&state=stale&verbose=True&repo=a%20b%2F%C3%BC%3F%26&ref=${REF_A}` +
        '&pkg_manager=pip&pkg_manager=npm&created_from=2021-07-07T00%3A00%2B01%3A00&created_to=2021-07-08' +
        '&error_origin=client&error_type=a%26b',
    );
  });
});

describe('GET /requests/latest', () => {
  const latest = (name: string, ref = REF_A): Promise<Response> =>
    get(`/requests/latest?repo_name=${encodeURIComponent(name)}&ref=${ref}`, 'anonymous');

  test.each<[string, string, number]>([
    ['org/a', REF_A, 0],
    ['org/a', REF_B, 1],
    ['org/b', REF_A, 2],
    ['git@git.example:org/ham', REF_A, 3],
  ])('%s at %s', async (name, ref, index) => {
    const response = await latest(name, ref);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(
      (await list('', 'anonymous')).items.find(({ id }) => id === numbers[index]),
    );
  });

  test('the newest that the caller may see', async () => {
    const path = `/requests/latest?repo_name=org/a&ref=${REF_A}`;
    expect(((await (await get(path, 'ada')).json()) as { id: number }).id).toBe(numbers[4]);
  });

  test.each<[string, string]>([
    ['org/nothing', REF_A],
    ['org/b', REF_B],
    ['example/org/a', REF_A],
    ['rg/a', REF_A],
    ['org/ham', REF_A],
  ])('there is none for %s at %s', async (name, ref) => {
    expect((await latest(name, ref)).status).toBe(404);
  });

  test.each([
    ['', "Missing query parameter 'repo_name'"],
    [`?ref=${REF_A}`, "Missing query parameter 'repo_name'"],
    ['?repo_name=a/b', "Missing query parameter 'ref'"],
    ['?repo_name=ab&ref=zz', 'ab is not a valid repo_name.'],
    [`?repo_name=a/&ref=${REF_A}`, 'a/ is not a valid repo_name.'],
    [`?repo_name=abc&ref=${REF_A}`, 'abc is not a valid repo_name.'],
    [`?repo_name=a/b%20c&ref=${REF_A}`, 'a/b c is not a valid repo_name.'],
    [`?repo_name=https://git.example/a&ref=${REF_A}`, 'https://git.example/a is not a valid repo_name.'],
    [`?repo_name=%00/a&ref=${REF_A}`, '\u0000/a is not a valid repo_name.'],
    [`?repo_name=${'a'.repeat(199)}/b&ref=${REF_A}`, `${'a'.repeat(199)}/b is not a valid repo_name.`],
    ['?repo_name=a/b&ref=zz', 'zz is not a valid ref.'],
  ])('%s', async (query, error) => {
    const response = await get(`/requests/latest${query}`);
    expect([response.status, await response.json()]).toEqual([400, { error }]);
  });
});

describe('Links behind a proxy', () => {
  test('STOWAGE_PUBLIC_URL wins; else a trusted proxy says how clients came', async () => {
    for (const [environment, expected] of [
      [{ STOWAGE_PUBLIC_URL: 'https://stowage.example/' }, 'https://stowage.example'],
      [{ STOWAGE_TRUSTED_PROXIES: '127.0.0.1' }, 'https://front.example'],
    ] as const) {
      const other = await TestGateway.start({ environment });
      const number = await storeRequest(other.stack.database.sql, { states: [BEGUN, DONE], packages: [] });
      const headers = { 'x-forwarded-host': 'front.example', 'x-forwarded-proto': 'https' };
      const one = await fetch(`${other.url}/api/v1/requests/${number}`, { headers });
      expect(await one.json()).toMatchObject({ logs: { url: `${expected}/api/v1/requests/${number}/logs` } });
      const { meta } = (await (await fetch(`${other.url}/api/v1/requests`, { headers })).json()) as List;
      expect(meta.first).toBe(`${expected}/api/v1/requests?page=1&per_page=10`);
      await other.close();
    }
  });
});
