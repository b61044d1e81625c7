import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { publishVersion } from '../../../../src/gateway/rest/fandogh/routes/publish-version.ts';
import { ROUTES } from '../../../../src/gateway/rest/fandogh/routes/routes.ts';
import { PASSWORD } from '../../../support/registry-stack.ts';
import { FandoghStack } from './fandogh-calls.ts';

const FILE = join(import.meta.dirname, '../../../../schema/openapi/fandogh.yaml');
const text = await readFile(FILE, 'utf8');
const document = parse(text);

let fandogh: FandoghStack;
beforeAll(async () => {
  fandogh = await FandoghStack.start({ STOWAGE_FANDOGH_LATEST_VERSION: '1.26.10' });
  await fandogh.call('POST', '/api/images', { json: { name: 'empty' } });
  await fandogh.call('POST', '/api/images', { json: { name: 'app' } });
  await fandogh.publish('app', 'v1');
});
afterAll(() => fandogh.close());

test('every call is described, and nothing else', () => {
  const served = [...ROUTES, publishVersion]
    .filter(({ path }) => !/^\/?\/api\//.test(path))
    .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
  const described = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item as object)
      .filter((method) => method !== 'parameters')
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(described.sort()).toEqual(served.sort());
});

test('references lead somewhere, and names of operations are unique', () => {
  const references = [...text.matchAll(/"#\/components\/([^"]+)"/g)].map((match) => match[1]!);
  const defined = ['schemas', 'responses', 'parameters'].flatMap((kind) =>
    Object.keys(document.components[kind]).map((key) => `${kind}/${key}`),
  );
  expect([...new Set(references)].sort()).toEqual(defined.sort());
  const names = [...text.matchAll(/operationId: (\w+)/g)].map((match) => match[1]);
  expect(new Set(names).size).toBe(names.length);
});

test.each<[method: string, path: string, template: string, options?: object]>([
  ['GET', '/images', '/images'],
  ['POST', '/images', '/images', { json: { name: 'new' } }],
  ['GET', '/images/app/versions', '/images/{name}/versions'],
  ['GET', '/images/app/versions/v1/builds', '/images/{name}/versions/{version}/builds'],
  ['GET', '/images/app/versions/v1/builds?format=list', '/images/{name}/versions/{version}/builds'],
  ['POST', '/tokens', '/tokens', { json: { username: 'ada', password: PASSWORD } }],
  ['GET', '/users/namespaces', '/users/namespaces'],
  ['GET', '/users/namespaces/apps', '/users/namespaces/{namespace}'],
  ['POST', '/users/namespaces', '/users/namespaces', { json: { name: 'more' } }],
  ['GET', '/accounts/ada', '/accounts/{username}'],
  ['PATCH', '/accounts/ada', '/accounts/{username}', { json: { email: 'ada@mail.example' } }],
  ['GET', '/latest-version', '/latest-version'],
  ['POST', '/errors', '/errors', { json: {} }],
  ['DELETE', '/images/app', '/images/{name}'],
])('as described: %s %s', async (method, path, template, options = {}) => {
  const { status, body } = await fandogh.call(method, `/api${path}`, options);
  expect(status).toBe(200);
  const described = document.paths[template][method.toLowerCase()].responses['200'];
  const response = described.$ref
    ? document.components.responses[described.$ref.split('/').at(-1)]
    : described;
  check(response.content['application/json'].schema, body);
});

test.each([
  ['GET', '/images', { token: null }],
  ['POST', '/images', { json: {} }],
  ['GET', '/nothing', {}],
])('failures as described: %s %s', async (method, path, options) => {
  const { status, body } = await fandogh.call(method, `/api${path}`, options);
  expect(status).toBeGreaterThanOrEqual(400);
  check({ $ref: '#/components/schemas/Failure' }, body);
});

function check(schema: object, value: unknown): void {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema({ $id: 'document', components: document.components });
  const text = JSON.stringify(schema).replaceAll('"#/', '"document#/');
  const validate = ajv.compile(JSON.parse(text));
  expect(validate(value) ? [] : validate.errors).toEqual([]);
}
