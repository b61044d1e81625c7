import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROUTES } from '../../../../src/gateway/rest/bkrepo/routes/routes.ts';
import { RegistryStack } from '../../../support/registry-stack.ts';
import { bkrepoCall } from './bkrepo-calls.ts';
import { pushHelloWorld } from './hello-world.ts';

const GENERATIONS = ['ext', 'api'] as const;
const texts = new Map<string, string>();
for (const name of GENERATIONS) {
  const file = join(import.meta.dirname, `../../../../schema/openapi/bkrepo-${name}.yaml`);
  texts.set(name, await readFile(file, 'utf8'));
}
const documents = new Map([...texts].map(([name, text]) => [name, parse(text)]));

let stack: RegistryStack;

beforeAll(async () => {
  stack = await RegistryStack.start();
  await pushHelloWorld(stack, 'apps/images/hello', ['v1']);
});
afterAll(() => stack.close());

/** What stands for the rest of a path, by what comes before it. */
const RESTS: [RegExp, string][] = [
  [/\/manifest\//, '{name}/{tag}'],
  [/\/layer\//, '{name}/{Id}'],
  [/^DELETE .*\/tag\//, '{name}/{tag}'],
  [/\/stage\//, '{packageKey}/{version}'],
  [/./, '{name}'],
];

test('every call is described, and nothing else', () => {
  const served = ROUTES.filter(({ path }) => !path.startsWith('/oci/')).map(({ method, path }) => {
    const rest = RESTS.find(([pattern]) => pattern.test(`${method} ${path}`))![1];
    return `${method} ${path.replaceAll(/:(\w+)/g, '{$1}').replace('*', rest)}`;
  });
  const described = [...documents.values()].flatMap((document) =>
    Object.entries(document.paths).flatMap(([path, item]) =>
      Object.keys(item as object).map((method) => `${method.toUpperCase()} ${path}`),
    ),
  );
  expect(described.sort()).toEqual(served.sort());
});

test.each(GENERATIONS)('%s: references lead somewhere, and names of operations are unique', (name) => {
  const [text, document] = [texts.get(name)!, documents.get(name)];
  const references = [...text.matchAll(/"#\/components\/([^"]+)"/g)].map((match) => match[1]!);
  const defined = ['schemas', 'responses', 'parameters'].flatMap((kind) =>
    Object.keys(document.components[kind]).map((key) => `${kind}/${key}`),
  );
  expect([...new Set(references)].sort()).toEqual(defined.sort());
  const names = [...text.matchAll(/operationId: (\w+)/g)].map((match) => match[1]);
  expect(new Set(names).size).toBe(names.length);
});

describe('Answers are as described', () => {
  const REPOSITORY = '{projectId}/{repoName}';
  test.each<[generation: 'ext' | 'api', path: string, template: string]>([
    ['ext', '/docker/ext/manifest/apps/images/hello/v1', `/docker/ext/manifest/${REPOSITORY}/{name}/{tag}`],
    ['ext', '/docker/ext/repo/apps/images?pageNumber=1&pageSize=9', `/docker/ext/repo/${REPOSITORY}`],
    [
      'ext',
      '/docker/ext/tag/apps/images/hello?pageNumber=1&pageSize=9',
      `/docker/ext/tag/${REPOSITORY}/{name}`,
    ],
    [
      'ext',
      '/docker/ext/version/detail/apps/images?packageKey=hello&version=v1',
      `/docker/ext/version/detail/${REPOSITORY}`,
    ],
    ['ext', '/docker/ext/addr', '/docker/ext/addr'],
    ['ext', '/repository/api/project/list', '/repository/api/project/list'],
    ['ext', '/repository/api/project/info/apps', '/repository/api/project/info/{projectId}'],
    ['ext', '/repository/api/project/exist/apps', '/repository/api/project/exist/{projectId}'],
    ['ext', '/repository/api/repo/info/apps/images', `/repository/api/repo/info/${REPOSITORY}`],
    ['ext', '/repository/api/repo/exist/apps/images', `/repository/api/repo/exist/${REPOSITORY}`],
    ['ext', '/repository/api/repo/list/apps', '/repository/api/repo/list/{projectId}'],
    [
      'ext',
      '/repository/api/repo/page/apps/1/9',
      '/repository/api/repo/page/{projectId}/{pageNumber}/{pageSize}',
    ],
    ['ext', '/repository/api/repo/quota/apps/images', `/repository/api/repo/quota/${REPOSITORY}`],
    ['ext', '/repository/api/package/page/apps/images', `/repository/api/package/page/${REPOSITORY}`],
    [
      'ext',
      '/repository/api/package/info/apps/images?packageKey=hello',
      `/repository/api/package/info/${REPOSITORY}`,
    ],
    [
      'ext',
      '/repository/api/version/page/apps/images?packageKey=hello',
      `/repository/api/version/page/${REPOSITORY}`,
    ],
    [
      'ext',
      '/repository/api/stage/apps/images?packageKey=hello&version=v1',
      `/repository/api/stage/${REPOSITORY}`,
    ],
    ['api', '/docker/api/manifest/apps/images/hello/v1', `/docker/api/manifest/${REPOSITORY}/{name}/{tag}`],
    ['api', '/docker/api/repo/apps/images?pageNumber=1&pageSize=9', `/docker/api/repo/${REPOSITORY}`],
    ['api', '/docker/api/tag/apps/images/hello', `/docker/api/tag/${REPOSITORY}/{name}`],
    ['api', '/docker/api/tag/detail/apps/images/hello', `/docker/api/tag/detail/${REPOSITORY}/{name}`],
  ])('%s: %s', async (generation, path, template) => {
    const document = documents.get(generation);
    const ajv = new Ajv2020({ strict: false });
    ajv.addSchema({ $id: 'openapi', ...document });
    expect(document.paths[template].get.responses[200].description).toBe('Done');
    const escaped = template.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D');
    const pointer = `/paths/${escaped}/get/responses/200/content/application~1json/schema`;
    const check = ajv.compile({ $ref: `openapi#${pointer}` });
    const { status, envelope } = await bkrepoCall(stack, 'GET', path);
    expect([status, check(envelope) ? [] : check.errors]).toEqual([200, []]);
  });

  test.each(GENERATIONS)('%s: the description itself, for everybody', async (name) => {
    const read = async (form: string) => {
      const options = { as: 'anonymous' } as const;
      const { status, headers, text } = await bkrepoCall(
        stack,
        'GET',
        `/docker/${name}/openapi.${form}`,
        options,
      );
      return [status, headers.get('content-type'), text] as const;
    };
    expect(await read('yaml')).toEqual([200, 'application/yaml', texts.get(name)]);
    const [status, contentType, json] = await read('json');
    expect([status, contentType, JSON.parse(json)]).toEqual([200, 'application/json', documents.get(name)]);
  });

  test.each(GENERATIONS)('failures of %s', async (generation) => {
    const ajv = new Ajv2020({ strict: false });
    ajv.addSchema({ $id: 'openapi', ...documents.get(generation) });
    const check = ajv.compile({ $ref: 'openapi#/components/schemas/Failure' });
    const { envelope } = await bkrepoCall(stack, 'GET', `/docker/${generation}/repo/apps/images`);
    expect(check(envelope) ? [] : check.errors).toEqual([]);
  });
});
