import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestGateway } from '../support/gateway.ts';

/** As many as may wait: what each interface says to the next one. Fandogh's is in rest/fandogh/publish.test.ts. */
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start({
    environment: { STOWAGE_PROJECT_REQUEST_LIMIT: '1', STOWAGE_PROJECT_BUILD_LIMIT: '1' },
  });
});
afterAll(() => gateway?.close());

const REPOSITORY = 'https://git.example/a.git';
const ERROR = '__typename ... on Error { code message hint details }';
const SUBMIT = `mutation ($project: String) {
  submitBundleRequest(input: { repository: "${REPOSITORY}", packageManagers: [], project: $project }) {
    ${ERROR} ... on MutationSubmitBundleRequestSuccess { data { number } } } }`;
const BUILD = `mutation {
  buildImage(input: { git: "${REPOSITORY}", project: "apps", image: "web" }) { ${ERROR} ... on MutationBuildImageSuccess { data { number } } } }`;

const stored = async (table: string): Promise<number> =>
  (await gateway.stack.database.sql.query(`select from ${table}`)).length;

test('GraphQL: a request of a project, and one of a user', async () => {
  for (const [project, whose] of [
    ['apps', 'this project'],
    [null, 'this user'],
  ] as const) {
    const submit = async () => (await gateway.data(SUBMIT, { project })).submitBundleRequest;
    const { data } = await submit();
    const before = await stored('bundle_requests');
    const refusal = {
      __typename: 'TooManyRequestsError',
      code: 'too-many-requests',
      message: `1 requests of ${whose} wait or run already`,
      hint: 'Submit again when some of them are over.',
      details: { queued: 1, limit: 1 },
    };
    expect(await submit()).toEqual(refusal);
    expect(await stored('bundle_requests')).toBe(before);

    const change = (name: string, number: number) =>
      gateway.data(`mutation { ${name}BundleRequest(number: ${number}) { ${ERROR} } }`);
    await change('cancel', data.number);
    expect(await submit()).toMatchObject({ data: { number: expect.any(Number) } });
    expect((await change('retry', data.number)).retryBundleRequest).toEqual(refusal);
  }
});

test('GraphQL: a build', async () => {
  const build = async () => (await gateway.data(BUILD)).buildImage;
  expect(await build()).toMatchObject({ data: { number: 1 } });
  expect(await build()).toEqual({
    __typename: 'TooManyRequestsError',
    code: 'too-many-requests',
    message: '1 builds of this project wait or run already',
    hint: 'Submit again when some of them are over.',
    details: { queued: 1, limit: 1 },
  });
  expect(await stored('image_builds')).toBe(1);
});

test('Cachito: 503, which its clients take for a reason to come again', async () => {
  const submit = () =>
    fetch(`${gateway.url}/api/v1/requests`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...gateway.headers('bob') },
      body: JSON.stringify({ repo: REPOSITORY, ref: 'a'.repeat(40), pkg_managers: [] }),
    });
  expect((await submit()).status).toBe(201);
  const before = await stored('bundle_requests');
  const refused = await submit();
  expect([refused.status, await refused.json()]).toEqual([
    503,
    { error: '1 requests of this user wait or run already' },
  ]);
  expect(refused.headers.get('retry-after')).toBe('30');
  expect(await stored('bundle_requests')).toBe(before);
});
