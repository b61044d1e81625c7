import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROUTES } from '../../../../src/gateway/rest/bkrepo/routes/routes.ts';
import { RegistryStack } from '../../../support/registry-stack.ts';

let stack: RegistryStack;

beforeAll(async () => {
  stack = await RegistryStack.start();
  await stack.pushImage('apps/images/php', 'v1');
});
afterAll(() => stack.close());

/** The path goes out as it is, which `fetch` would not let it. */
async function raw(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const headers = { ...stack.authorization('olga'), ...(body && { 'content-type': 'application/json' }) };
  const call = request(stack.url, { method, path, headers }, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (piece: string) => {
      text += piece;
    });
    answer.on('end', () => resolve({ status: answer.statusCode!, text })).on('error', reject);
  });
  call.on('error', reject).end(body);
  return await promise;
}

const SEGMENTS = [
  '..',
  '%2e%2e',
  '.',
  '%2F',
  '%00',
  '%ff',
  '%ED%A0%80',
  '%',
  "'",
  '%25',
  '*',
  '__proto__',
  '%F0%9F%90%B3',
  'x'.repeat(300),
  'x'.repeat(600),
  'a%2F..%2Fb',
  '-1',
  'NaN',
];
const QUERIES = [
  'pageNumber=1&pageSize=1&packageKey=php&version=v1',
  'pageNumber[]=1&pageSize=1&packageKey=docker://&version=',
  'pageNumber=1&pageNumber=2&pageSize=1e3&packageKey=%00&version=%00',
  'pageNumber=0x1&pageSize= 1&packageKey=%ff&version=__proto__&tag=%ff&name=%5C%25',
  '__proto__=1&constructor=2&packageKey=a&packageKey=b&version=v1&version=v2&pageNumber=1&pageSize=5',
];
const BODIES = [
  '{}',
  '[]',
  'null',
  '"x"',
  '{"__proto__":{"name":"x"}}',
  '{"name":{}}',
  '{"quota":1e999}',
  '\xff',
];

test('nothing that is sent breaks anything, and every refusal is in the envelope', async () => {
  // Descriptions of the API are documents of their own.
  const routes = ROUTES.filter(({ path }) => !path.includes('/openapi.'));
  const paths = routes.flatMap(({ method, path }) =>
    SEGMENTS.map((segment, index) => {
      const filled = path.replaceAll(/:\w+/g, segment).replace('*', `${segment}/${segment}`);
      return { method, path: `${filled}?${QUERIES[index % QUERIES.length]}`.replaceAll(' ', '+') };
    }),
  );
  for (const { method, path } of paths) {
    const body = method === 'POST' || method === 'PUT' ? BODIES[path.length % BODIES.length] : undefined;
    const { status, text } = await raw(method, path, body);
    expect(status, `${method} ${path} ${text}`).toBeLessThan(500);
    const envelope = JSON.parse(text);
    expect(Object.keys(envelope), path).toEqual(['code', 'message', 'data', 'traceId']);
    expect(envelope.code === 0, path).toBe(status === 200);
  }
  // What was there still is.
  expect((await stack.call('GET', '/v2/apps/images/php/manifests/v1')).status).toBe(200);
}, 60_000);
