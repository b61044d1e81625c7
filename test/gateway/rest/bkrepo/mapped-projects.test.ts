import { afterAll, beforeAll, expect, test } from 'vitest';
import { mappedNames } from '../../../../src/domain/images/published-image.ts';
import { RegistryStack } from '../../../support/registry-stack.ts';
import { bkrepoCall, dataOf } from './bkrepo-calls.ts';

/** Names that bk-repo's clients may give to projects, and that cannot stand in the path of an image (fandogh.md 1.10). */
const NAMES = ['_x', 'MyTeam', 'a___b'];

let stack: RegistryStack;
beforeAll(async () => {
  stack = await RegistryStack.start();
});
afterAll(() => stack.close());

async function graphql(query: string) {
  const { text } = await bkrepoCall(stack, 'POST', '/graphql', { as: 'olga', body: { query } });
  return JSON.parse(text).data;
}

test.each(NAMES)('images of the project %s', async (name) => {
  await dataOf(stack, 'POST', '/repository/api/project/create', {
    as: 'olga',
    body: { name, displayName: 'Team', description: '' },
  });
  const [path] = mappedNames(name);
  const { projects } = await graphql('{ projects { name path } }');
  expect(projects).toContainEqual({ name, path });

  const { digest } = await stack.pushImage(`${path}/images/web`, 'v1', 'one', 'olga');
  const pulled = await stack.call('GET', `/v2/${path}/images/web/manifests/v1`, { as: 'olga' });
  expect(pulled.headers.get('docker-content-digest')).toBe(digest);
  expect((await stack.call('GET', `/v2/${path}/images/web/manifests/v1`)).status).toBe(403);

  const page = 'pageNumber=1&pageSize=9';
  const images = await dataOf(stack, 'GET', `/docker/ext/repo/${name}/images?${page}`, { as: 'olga' });
  expect(images).toMatchObject({ totalRecords: 1, records: [{ name: 'web' }] });
  const tags = await dataOf(stack, 'GET', `/docker/ext/tag/${name}/images/web?${page}`, { as: 'olga' });
  expect(tags).toMatchObject({
    records: [{ tag: 'v1', registryUrl: `${new URL(stack.url).host}/${path}/images/web:v1` }],
  });
  const listed = await graphql(`{ images(filter: { project: "${name}" }) { nodes { path } } }`);
  expect(listed.images.nodes).toEqual([{ path: `${path}/images/web` }]);

  await dataOf(stack, 'DELETE', `/docker/ext/package/delete/${name}/images?packageKey=docker://web`, {
    as: 'olga',
  });
  const gone = await stack.call('GET', `/v2/${path}/images/web/manifests/v1`, { as: 'olga' });
  expect(gone.status).toBe(404);
});
