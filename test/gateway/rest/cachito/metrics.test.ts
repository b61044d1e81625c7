import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { storeRequest } from '../../../support/cachito-requests.ts';
import { type Caller, TestGateway } from '../../../support/gateway.ts';

const at = (seconds: string): string => `2021-07-07T18:00:${seconds}Z`;
const begun = (seconds: string): [string, string, string] => [
  'in_progress',
  'The request was initiated',
  at(seconds),
];
const fetching = (seconds: string): [string, string, string] => [
  'in_progress',
  'Fetching the application source',
  at(seconds),
];

let gateway: TestGateway;
let numbers: number[];

const get = (path: string, as: Caller = 'anonymous'): Promise<Response> =>
  fetch(`${gateway.url}/api/v1${path}`, { headers: gateway.headers(as) });

beforeAll(async () => {
  gateway = await TestGateway.start();
  const { sql } = gateway.stack.database;
  numbers = [
    await storeRequest(sql, {
      states: [begun('00'), fetching('01'), ['complete', 'Completed successfully', at('10.5')]],
      packages: [],
    }),
    await storeRequest(sql, {
      states: [begun('00'), fetching('03'), ['failed', 'No.', at('20.000001')]],
      error: { errorOrigin: 'client', errorType: 'InvalidRepoStructure' },
    }),
    await storeRequest(sql, {
      states: [
        begun('00'),
        ['complete', 'Completed successfully', at('30')],
        ['stale', 'The request has expired', at('59')],
      ],
    }),
    await storeRequest(sql, { states: [begun('00'), fetching('01')] }),
    await storeRequest(sql, { states: [begun('00'), ['stale', 'The request has expired', at('59')]] }),
    await storeRequest(sql, {
      rules: 'native',
      states: [begun('00'), ['cancelled', 'The request was cancelled by ada', at('40')]],
      error: { errorOrigin: 'server', errorType: 'NetworkError' },
    }),
  ];
});
afterAll(async () => {
  await gateway?.close();
});

describe('GET /request-metrics', () => {
  test('requests that have ended, byte for byte', async () => {
    const url = `${gateway.url}/api/v1/request-metrics`;
    expect(await (await get('/request-metrics')).text()).toBe(
      '{"items":[' +
        `{"duration":30,"final_state":"complete","final_state_reason":"Completed successfully","finished":"2021-07-07T18:00:30.000000","id":${numbers[2]},"time_in_queue":30},` +
        `{"duration":20.000001,"final_state":"failed","final_state_reason":"No.","finished":"2021-07-07T18:00:20.000001","id":${numbers[1]},"time_in_queue":3},` +
        `{"duration":10.5,"final_state":"complete","final_state_reason":"Completed successfully","finished":"2021-07-07T18:00:10.500000","id":${numbers[0]},"time_in_queue":1}],` +
        `"meta":{"first":"${url}?page=1&per_page=20","last":"${url}?page=1&per_page=20","next":null,"page":1,"pages":1,"per_page":20,"previous":null,"total":3}}\n`,
    );
  });

  const indexes = async (query: string, as: Caller = 'ada'): Promise<number[]> => {
    const { items } = (await (await get(`/request-metrics${query}`, as)).json()) as {
      items: { id: number }[];
    };
    return items.map(({ id }) => numbers.indexOf(id));
  };

  test.each<[string, number[]]>([
    ['', [5, 2, 1, 0]],
    ['?finished_from=2021-07-07T18:00:20.000001', [5, 2, 1]],
    ['?finished_from=2021-07-07T18:00:20.000002', [5, 2]],
    ['?finished_to=2021-07-07T18:00:20.000001', [1, 0]],
    ['?finished_to=2021-07-07T18:00:20', [0]],
    ['?finished_from=2021-07-07&finished_to=2021-07-07', [5, 2, 1, 0]],
    ['?finished_from=2021-07-08', []],
    ['?error_origin=client', [1]],
    ['?error_origin=server', [5]],
    ['?error_type=NetworkError', [5]],
    ['?error_type=%00', []],
    ['?per_page=2&page=2', [1, 0]],
  ])('%s', async (query, expected) => {
    expect(await indexes(query)).toEqual(expected);
  });

  test('a cancelled request has failed', async () => {
    const { items } = (await (await get('/request-metrics', 'ada')).json()) as { items: object[] };
    expect(items[0]).toMatchObject({ final_state: 'failed', finished: '2021-07-07T18:00:40.000000' });
  });

  test('links carry the filters', async () => {
    const { meta } = (await (
      await get(
        '/request-metrics?error_type=x&error_origin=client&finished_to=2021-07-08&finished_from=2021-07-07&per_page=500',
      )
    ).json()) as { meta: { last: string } };
    expect(meta.last).toBe(
      `${gateway.url}/api/v1/request-metrics?page=0&per_page=100&finished_from=2021-07-07&finished_to=2021-07-08` +
        '&error_origin=client&error_type=x',
    );
  });

  test.each<[string, number, object]>([
    ['page=x', 404, { error: 'The requested resource was not found' }],
    ['page=2', 404, { error: 'The requested resource was not found' }],
    ['per_page=0', 404, { error: 'The requested resource was not found' }],
    ['error_origin=x', 400, { error: 'x is not a valid error origin. Valid origins are: client, server' }],
    [
      'finished_from=x&page=x',
      400,
      {
        error: "'x' is not a valid datetime(ISO 8601 format).",
        errors: { finished_from: "'x' is not a valid datetime(ISO 8601 format)." },
      },
    ],
  ])('%s', async (query, status, body) => {
    const response = await get(`/request-metrics?${query}`);
    expect([response.status, await response.json()]).toEqual([status, body]);
  });
});

describe('GET /request-metrics/summary', () => {
  test('of a day', async () => {
    const response = await get(
      '/request-metrics/summary?finished_from=2021-07-07&finished_to=2021-07-07',
      'ada',
    );
    expect(await response.text()).toBe(
      '{"client_errors":1,"complete":2,"duration_50":25.0000005,"duration_95":38.5,"duration_avg":25.12500025,' +
        '"failed":2,"server_errors":1,"time_in_queue_95":38.5,"time_in_queue_avg":18.5,"total":4}\n',
    );
  });

  test('of a time in which nothing ended', async () => {
    const response = await get('/request-metrics/summary?finished_from=2022-01-01&finished_to=2022-01-02');
    expect(await response.json()).toEqual({
      client_errors: 0,
      complete: 0,
      duration_50: null,
      duration_95: null,
      duration_avg: null,
      failed: 0,
      server_errors: 0,
      time_in_queue_95: null,
      time_in_queue_avg: null,
      total: 0,
    });
  });

  test.each([
    ['', "Missing query parameter 'finished_from'"],
    ['?finished_to=2021-07-07', "Missing query parameter 'finished_from'"],
    ['?finished_from=2021-07-07', "Missing query parameter 'finished_to'"],
    ['?finished_from=x&finished_to=y', "'x' is not a valid datetime(ISO 8601 format)."],
  ])('%s', async (query, error) => {
    const response = await get(`/request-metrics/summary${query}`);
    expect([response.status, await response.json()]).toMatchObject([400, { error }]);
  });
});
