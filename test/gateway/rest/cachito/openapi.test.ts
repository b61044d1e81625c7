import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROUTES } from '../../../../src/gateway/rest/cachito/routes/routes.ts';
import { BEGUN, COMMIT, storeRequest } from '../../../support/cachito-requests.ts';
import { TestGateway } from '../../../support/gateway.ts';

const FILE = join(import.meta.dirname, '../../../../schema/openapi/cachito.yaml');
const text = await readFile(FILE, 'utf8');
const openapi = parse(text);

let gateway: TestGateway;
let complete: number;
let running: number;

beforeAll(async () => {
  gateway = await TestGateway.start();
  const { sql } = gateway.stack.database;
  complete = await storeRequest(sql, {
    packages: [
      {
        type: 'npm',
        name: 'app',
        version: '1.0.0',
        path: 'client',
        dependencies: [{ type: 'npm', name: 'b', version: '1.0.0', dev: true, replaces: null }],
      },
    ],
    environment: [{ name: 'A', value: 'b', kind: 'path' }],
    configurationFiles: [{ path: 'app/.npmrc', content: 'a' }],
  });
  running = await storeRequest(sql, { states: [BEGUN] });
  await storeRequest(sql, {
    states: [BEGUN, ['failed', 'No.', '2021-07-09T00:00:00Z']],
    error: { errorOrigin: 'client', errorType: 'InvalidRepoStructure' },
  });
});
afterAll(async () => {
  await gateway?.close();
});

test('every call is described, and nothing else', () => {
  const described = Object.entries(openapi.paths).flatMap(([path, item]) =>
    Object.keys(item as object)
      .filter((key) => key !== 'parameters')
      .map((method) => `${method.toUpperCase()} ${path}`),
  );
  const served = ROUTES.map(({ method, path }) => `${method} ${path.replace(/:id\(.*?\)/, '{id}')}`);
  expect(described.sort()).toEqual(served.sort());
});

test('references lead somewhere, names of operations are unique', () => {
  const references = [...text.matchAll(/"#\/components\/([^"]+)"/g)].map((match) => match[1]!.split('/'));
  const dangling = references.filter(([kind, name]) => openapi.components[kind!]?.[name!] === undefined);
  expect(dangling).toEqual([]);
  const used = new Set(references.map((path) => path.join('/')));
  const defined = ['schemas', 'responses', 'parameters'].flatMap((kind) =>
    Object.keys(openapi.components[kind]).map((name) => `${kind}/${name}`),
  );
  expect(defined.filter((path) => !used.has(path))).toEqual([]);
  const names = [...text.matchAll(/operationId: (\w+)/g)].map((match) => match[1]);
  expect(new Set(names).size).toBe(names.length);
});

describe('Answers are as described', () => {
  const ajv = addFormats.default(new Ajv2020({ strict: false }));
  ajv.addSchema({ $id: 'openapi', ...openapi });
  const validate = (pointer: string, body: unknown): void => {
    const check = ajv.compile({ $ref: `openapi#${pointer}` });
    expect(check(body) ? [] : check.errors).toEqual([]);
  };

  test.each<[path: string, template: string, status: number]>([
    ['/status', '/status', 200],
    ['/status/short', '/status/short', 503],
    ['/requests', '/requests', 200],
    ['/requests?verbose=1&per_page=1', '/requests', 200],
    ['/requests?pkg_manager=rubygems', '/requests', 200],
    ['/requests?state=x', '/requests', 400],
    ['/requests?created_from=x', '/requests', 400],
    ['/requests?page=9', '/requests', 404],
    [`/requests/latest?repo_name=org/app&ref=${COMMIT}`, '/requests/latest', 200],
    ['/requests/latest', '/requests/latest', 400],
    [`/requests/latest?repo_name=org/x&ref=${COMMIT}`, '/requests/latest', 404],
    ['/requests/{complete}', '/requests/{id}', 200],
    ['/requests/{running}', '/requests/{id}', 200],
    ['/requests/99999', '/requests/{id}', 404],
    ['/requests/{complete}/configuration-files', '/requests/{id}/configuration-files', 200],
    ['/requests/{complete}/configuration-files?format=x', '/requests/{id}/configuration-files', 400],
    ['/requests/{complete}/environment-variables', '/requests/{id}/environment-variables', 200],
    ['/requests/{complete}/packages', '/requests/{id}/packages', 200],
    ['/requests/{running}/packages', '/requests/{id}/packages', 404],
    ['/requests/{complete}/content-manifest', '/requests/{id}/content-manifest', 200],
    ['/requests/{running}/content-manifest', '/requests/{id}/content-manifest', 400],
    ['/requests/{running}/sbom', '/requests/{id}/sbom', 400],
    ['/requests/{running}/download', '/requests/{id}/download', 400],
    ['/requests/{complete}/logs', '/requests/{id}/logs', 404],
    ['/content-manifest?requests={complete}', '/content-manifest', 200],
    ['/content-manifest?requests={running}', '/content-manifest', 400],
    ['/sbom?requests={complete}', '/sbom', 200],
    ['/sbom?requests={running}', '/sbom', 400],
    ['/request-metrics', '/request-metrics', 200],
    ['/request-metrics?finished_to=x', '/request-metrics', 400],
    [
      '/request-metrics/summary?finished_from=2021-01-01&finished_to=2021-12-31',
      '/request-metrics/summary',
      200,
    ],
    [
      '/request-metrics/summary?finished_from=2022-01-01&finished_to=2022-12-31',
      '/request-metrics/summary',
      200,
    ],
    ['/request-metrics/summary', '/request-metrics/summary', 400],
    ['/openapi.json', '/openapi.json', 200],
  ])('%s', async (path, template, status) => {
    const url = `${gateway.url}/api/v1${path}`
      .replace('{complete}', `${complete}`)
      .replace('{running}', `${running}`);
    const response = await fetch(url);
    expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/json']);
    const described = openapi.paths[template].get.responses[status];
    const escaped = template.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D');
    const pointer = described.$ref?.slice(1) ?? `/paths/${escaped}/get/responses/${status}`;
    validate(`${pointer}/content/application~1json/schema`, await response.json());
  });
});

describe('The document itself', () => {
  test.each(['/api/v1/openapi.yaml', '/static/api_v1.yaml'])('%s', async (path) => {
    const response = await fetch(`${gateway.url}${path}`);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/yaml']);
    expect(await response.text()).toBe(text);
  });

  test('as JSON, with sorted keys', async () => {
    const json = await (await fetch(`${gateway.url}/api/v1/openapi.json`)).text();
    expect(JSON.parse(json)).toEqual(openapi);
    expect(json).toMatch(/^\{"components":/);
  });
});
