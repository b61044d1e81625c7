import { afterAll, beforeAll, expect, test } from 'vitest';
import { addToken } from '../../../src/domain/identity/tokens.ts';
import { BOUNDARY, multipartBody } from '../../support/multipart.ts';
import { RegistryStack, sha256, type User } from '../../support/registry-stack.ts';

/** What a token may not do, it may not do over any interface. */
let stack: RegistryStack;
let digest: string;
const tokens: Record<string, string> = {};
const NAME = 'apps/images/scoped';

beforeAll(async () => {
  stack = await RegistryStack.start();
  digest = (await stack.pushImage(NAME, 'v1')).digest;
  const made = await stack.call('POST', '/api/images', json({ name: 'published' }));
  expect(made.status).toBe(200);
  for (const scope of ['read', 'write']) {
    const { secret } = await addToken(stack.database, { userName: 'ada', name: scope, scopes: [scope] });
    tokens[scope] = secret;
  }
});
afterAll(() => stack?.close());

const json = (value: object) => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});
const SOURCE = {
  headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
  body: multipartBody([
    ['version', 'v1'],
    ['source', { name: 'workspace.zip', content: Buffer.from('PK') }],
  ]),
};
type Call = [
  method: string,
  path: string,
  options?: { headers: Record<string, string>; body: string | Buffer },
];

const WRITING: Call[] = [
  ['POST', `/v2/${NAME}/blobs/uploads/`],
  ['POST', `/v2/${NAME}/blobs/uploads/?digest=${sha256('x')}`, { headers: {}, body: 'x' }],
  [
    'PUT',
    `/v2/${NAME}/manifests/v2`,
    json({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.manifest.v1+json' }),
  ],
  ['DELETE', `/v2/${NAME}/manifests/v1`],
  ['POST', '/api/images', json({ name: 'made' })],
  ['DELETE', '/api/images/published'],
  ['POST', '/api/images/published/versions', SOURCE],
  [
    'POST',
    '/api/v1/requests',
    json({ repo: 'https://git.example/a.git', ref: 'a'.repeat(40), pkg_managers: [] }),
  ],
  ['PATCH', '/api/v1/requests/1', json({ state: 'failed', state_reason: 'no' })],
  ['POST', '/repository/api/project/create', json({ name: 'made', displayName: 'made', description: '' })],
  ['DELETE', '/repository/api/project/delete/apps'],
  ['DELETE', '/repository/api/repo/delete/apps/images'],
];
/** Of what is private. */
const READING: Call[] = [
  ['GET', `/v2/${NAME}/manifests/v1`],
  ['GET', `/v2/${NAME}/tags/list`],
  ['GET', '/api/images'],
  ['GET', '/repository/api/package/page/apps/images?pageNumber=1&pageSize=10'],
  ['GET', '/repository/api/version/page/apps/images?packageKey=docker://scoped&pageNumber=1&pageSize=10'],
  ['GET', '/repository/api/project/list'],
];

test.each(WRITING)(
  'a token that may only read: %s %s',
  async (method, path, options = { headers: {}, body: '' }) => {
    const { status, body } = await attempt('read', method, path, options);
    expect([status, body]).toEqual([expect.toBeOneOf([401, 403]), expect.any(String)]);
    // Without a trace.
    const { sql } = stack.database;
    for (const table of ['bundle_requests', 'published_versions', 'uploads']) {
      expect([table, await sql.query(`select from ${table}`)]).toEqual([table, []]);
    }
    expect(await sql.query(`select from projects where name = 'made'`)).toEqual([]);
    expect((await stack.call('GET', `/v2/${NAME}/manifests/v1`)).status).toBe(200);
  },
);

test.each(READING)('a token that may only write: %s %s', async (method, path) => {
  const { status, body } = await attempt('write', method, path);
  expect(status).toBeOneOf([401, 403]);
  // Somebody who may read gets it there.
  expect((await stack.call(method, path)).status).toBe(200);
  for (const hidden of [digest, 'published']) expect(body).not.toContain(hidden);
});

test('who knows the id of what is private has nothing of it', async () => {
  const graphql = async (query: string, as: User, variables: object = {}) =>
    (await stack.call('POST', '/graphql', { as, ...json({ query, variables }) })).json().data;
  const git = 'https://git.example/a.git';
  const made = await graphql(
    `mutation {
      submitBundleRequest(input: { repository: "${git}", packageManagers: [], project: "apps" }) {
        ... on MutationSubmitBundleRequestSuccess { data { id } }
      }
      buildImage(input: { git: "${git}", project: "apps", image: "web" }) { ... on MutationBuildImageSuccess { data { id } } }
    }`,
    'ada',
  );
  const seen = await graphql(
    `{
      image(path: "${NAME}") { id manifest(reference: "v1") { id } }
      repository(project: "apps", name: "images") { id }
      publishedImage(project: "apps", name: "published") { id }
    }`,
    'ada',
  );
  const ids = [
    made.submitBundleRequest.data.id,
    made.buildImage.data.id,
    seen.image.id,
    seen.image.manifest.id,
    seen.repository.id,
    seen.publishedImage.id,
  ];
  const types = ['BundleRequest', 'ImageBuild', 'Image', 'Manifest', 'Repository', 'PublishedImage'];
  const query = 'query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }';
  expect((await graphql(query, 'ada', { ids })).nodes).toEqual(
    types.map((__typename, index) => ({ __typename, id: ids[index] })),
  );
  expect((await graphql(query, 'eve', { ids })).nodes).toEqual(types.map(() => null));
  expect((await graphql(query, 'anonymous', { ids }))?.nodes ?? null).toBe(null);
  // Of one kind as if it were of another.
  const numbers = ids.map((id) => Buffer.from(id, 'base64').toString().split(':')[1]);
  const mixed = types.flatMap((type) =>
    numbers.map((number) => Buffer.from(`${type}:${number}`).toString('base64')),
  );
  expect(new Set((await graphql(query, 'eve', { ids: mixed })).nodes)).toEqual(new Set([null]));
});

async function attempt(
  scope: string,
  method: string,
  path: string,
  { headers, body }: { headers: Record<string, string>; body: string | Buffer } = { headers: {}, body: '' },
): Promise<{ status: number; body: string }> {
  const answer = await stack.call(method, path, {
    as: 'anonymous',
    headers: { ...headers, authorization: `Bearer ${tokens[scope]}` },
    ...(body.length > 0 && { body }),
  });
  return { status: answer.status, body: answer.body.toString() };
}
