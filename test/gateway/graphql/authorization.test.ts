import { isObjectType } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../../src/gateway/graphql/schema.ts';
import { type Caller, TestGateway } from '../../support/gateway.ts';
import { BOUNDARY, uploadBody } from '../../support/multipart.ts';
import { IMAGE_ROWS } from './images/permissions.ts';
import { REGISTRY_ROWS } from './registry/permissions.ts';
import { RequestHistory } from './request-history.ts';

/** What a caller gets: `yes`, null, or the code of the error. */
type Outcome = 'yes' | 'null' | 'unauthenticated' | 'forbidden' | 'not-found';
const CALLERS = ['anonymous', 'reader', 'writer', 'eve', 'bob', 'ada', 'admin'] as const;

interface Row {
  field: string;
  /** `N`: the number of a request in the private project of ada and bob; `ID`: its id; `#`: a number that is new each time. */
  operation: string;
  outcomes: Record<(typeof CALLERS)[number], Outcome>;
}
const row = (field: string, operation: string, ...outcomes: Outcome[]): Row => ({
  field,
  operation,
  outcomes: Object.fromEntries(CALLERS.map((as, index) => [as, outcomes[index]])) as Row['outcomes'],
});
const [yes, no, anonymous, forbidden, missing] = [
  'yes',
  'null',
  'unauthenticated',
  'forbidden',
  'not-found',
] as const;

/** All but the last: what administrators get stands behind it. */
const NO_ADMINS: Outcome[] = [anonymous, forbidden, forbidden, forbidden, forbidden, forbidden];

const ROWS: Row[] = [
  //                                                                   anonymous reader writer     eve  bob  ada  admin
  row('Query.me', '{ x: me { name } }', yes, yes, yes, yes, yes, yes, yes),
  row('Query.node', '{ x: node(id: "ID") { id } }', anonymous, yes, forbidden, no, yes, yes, yes),
  row('Query.nodes', '{ x: nodes(ids: ["ID"]) { id } }', anonymous, yes, forbidden, no, yes, yes, yes),
  row(
    'Query.bundleRequest',
    '{ x: bundleRequest(number: N) { id } }',
    anonymous,
    yes,
    forbidden,
    no,
    yes,
    yes,
    yes,
  ),
  row(
    'Query.bundleRequests',
    '{ x: bundleRequests { totalCount } }',
    anonymous,
    yes,
    forbidden,
    yes,
    yes,
    yes,
    yes,
  ),
  ...[
    '{ x: bundleRequestPage(page: 1) { total } }',
    '{ x: bundleRequestPage(page: 1) { items { id } } }',
    '{ x: bundleRequestPage(page: 1) { versions { number } } }',
  ].map((operation) =>
    row('Query.bundleRequestPage', operation, anonymous, yes, forbidden, yes, yes, yes, yes),
  ),
  row(
    'Query.bundleRequestVersion',
    '{ x: bundleRequestVersion(number: N) { version } }',
    anonymous,
    yes,
    forbidden,
    no,
    yes,
    yes,
    yes,
  ),
  row(
    'Query.bundleRequestsByNumber',
    '{ x: bundleRequestsByNumber(numbers: [N]) { id } }',
    anonymous,
    yes,
    forbidden,
    // Without those that are not for her.
    yes,
    yes,
    yes,
    yes,
  ),
  row(
    'Query.latestBundleRequest',
    `{ x: latestBundleRequest(repositoryName: "a", ref: "${'c'.repeat(40)}") { id } }`,
    anonymous,
    no,
    forbidden,
    no,
    no,
    no,
    no,
  ),
  row(
    'Query.bundleRequestMetrics',
    '{ x: bundleRequestMetrics(page: 1) { total } }',
    anonymous,
    yes,
    forbidden,
    yes,
    yes,
    yes,
    yes,
  ),
  row(
    'Query.bundleRequestMetricsSummary',
    '{ x: bundleRequestMetricsSummary { total } }',
    anonymous,
    yes,
    forbidden,
    yes,
    yes,
    yes,
    yes,
  ),
  row('Query.auditLog', '{ x: auditLog(first: 1) { nodes { number } } }', ...NO_ADMINS, yes),
  row('Query.status', '{ x: status { unavailable } }', yes, yes, yes, yes, yes, yes, yes),
  row(
    'Query.components',
    '{ x: components { nodes { purl } } }',
    anonymous,
    yes,
    forbidden,
    yes,
    yes,
    yes,
    yes,
  ),
  row('Query.projects', '{ x: projects { name } }', anonymous, yes, forbidden, yes, yes, yes, yes),
  row('Query.tokens', '{ x: tokens { name } }', anonymous, yes, forbidden, yes, yes, yes, yes),
  row(
    'Query.tokens',
    '{ x: tokens(user: "ada") { name } }',
    anonymous,
    yes,
    forbidden,
    forbidden,
    forbidden,
    yes,
    yes,
  ),
  row('Query.workers', '{ x: workers { id } }', ...NO_ADMINS, yes),
  row('Query.taskQueues', '{ x: taskQueues { task } }', ...NO_ADMINS, yes),
  row('Query.deadJobs', '{ x: deadJobs { nodes { number } } }', ...NO_ADMINS, yes),
  row(
    'Mutation.pauseTask',
    'mutation { x: pauseTask(task: "scrub-store") { __typename ... on Error { code } } }',
    ...NO_ADMINS,
    yes,
  ),
  row(
    'Mutation.resumeTask',
    'mutation { x: resumeTask(task: "scrub-store") { __typename ... on Error { code } } }',
    ...NO_ADMINS,
    yes,
  ),
  row(
    'Mutation.retryDeadJob',
    'mutation { x: retryDeadJob(number: 1) { __typename ... on Error { code } } }',
    ...NO_ADMINS,
    missing,
  ),
  row(
    'Mutation.discardDeadJob',
    'mutation { x: discardDeadJob(number: 1) { __typename ... on Error { code } } }',
    ...NO_ADMINS,
    missing,
  ),
  row(
    'Mutation.submitBundleRequest',
    'mutation { x: submitBundleRequest(input: { repository: "https://git.example/a", project: "apps" }) { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    yes,
    missing,
    forbidden,
    yes,
    yes,
  ),
  row(
    'Mutation.submitCachitoRequest',
    `mutation { x: submitCachitoRequest(body: { repo: "", ref: "${'c'.repeat(40)}" }) { __typename ... on Error { code } } }`,
    anonymous,
    forbidden,
    yes,
    yes,
    yes,
    yes,
    yes,
  ),
  row(
    'Mutation.updateCachitoRequest',
    'mutation { x: updateCachitoRequest(number: N, body: { packages_count: # }) { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    forbidden,
    missing,
    forbidden,
    yes,
    forbidden,
  ),
  row(
    'Mutation.addCachitoConfigurationFiles',
    'mutation { x: addCachitoConfigurationFiles(number: N, body: []) { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    forbidden,
    missing,
    forbidden,
    yes,
    forbidden,
  ),
  row('Mutation.uploadSource', 'UPLOAD', anonymous, forbidden, yes, yes, yes, yes, yes),
  row(
    'Mutation.cancelBundleRequest',
    'mutation { x: cancelBundleRequest(number: N) { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    forbidden,
    missing,
    forbidden,
    yes,
    yes,
  ),
  row(
    'Mutation.retryBundleRequest',
    'mutation { x: retryBundleRequest(number: CANCELLED) { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    forbidden,
    missing,
    forbidden,
    yes,
    yes,
  ),
  row(
    'Mutation.createProject',
    'mutation { x: createProject(name: "project-#") { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    yes,
    yes,
    yes,
    yes,
    yes,
  ),
  row(
    'Mutation.setProjectMember',
    'mutation { x: setProjectMember(project: "apps", user: "bob", role: VIEWER) { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    forbidden,
    missing,
    forbidden,
    forbidden,
    yes,
  ),
  row(
    'Mutation.removeProjectMember',
    'mutation { x: removeProjectMember(project: "apps", user: "eve") { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    forbidden,
    missing,
    forbidden,
    forbidden,
    yes,
  ),
  row(
    'Mutation.createUser',
    'mutation { x: createUser(name: "user-#") { __typename ... on Error { code } } }',
    ...NO_ADMINS,
    yes,
  ),
  row('Query.user', '{ x: user(name: "ada") { email } }', anonymous, yes, forbidden, no, no, yes, yes),
  row(
    'Mutation.changeUser',
    'mutation { x: changeUser(name: "ada", email: "ada-#@mail.example") { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    forbidden,
    missing,
    missing,
    yes,
    yes,
  ),
  row(
    'Mutation.createToken',
    'mutation { x: createToken(name: "token-#", scopes: ["write"]) { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    yes,
    yes,
    yes,
    yes,
    yes,
  ),
  row(
    'Mutation.createToken',
    'mutation { x: createToken(name: "token-#", scopes: ["read"], user: "ada") { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    forbidden,
    forbidden,
    forbidden,
    yes,
    yes,
  ),
  row(
    'Mutation.revokeToken',
    'mutation { x: revokeToken(name: "SPARE", user: "ada") { __typename ... on Error { code } } }',
    anonymous,
    forbidden,
    yes,
    forbidden,
    forbidden,
    yes,
    yes,
  ),
  row(
    'Subscription.bundleRequestEvents',
    'subscription { x: bundleRequestEvents(number: N) { version } }',
    anonymous,
    yes,
    forbidden,
    missing,
    yes,
    yes,
    yes,
  ),
  row(
    'Subscription.bundleRequestLog',
    'subscription { x: bundleRequestLog(number: CANCELLED) { number } }',
    anonymous,
    no,
    forbidden,
    missing,
    no,
    no,
    no,
  ),
  row(
    'Subscription.bundleRequestLogPages',
    'subscription { x: bundleRequestLogPages(number: CANCELLED) { total } }',
    anonymous,
    no,
    forbidden,
    missing,
    no,
    no,
    no,
  ),
  row(
    'Subscription.bundleRequestFeed',
    'subscription { x: bundleRequestFeed(after: "0.0") { number } }',
    anonymous,
    yes,
    forbidden,
    yes,
    yes,
    yes,
    yes,
  ),
];

let gateway: TestGateway;
let counter = 0;

beforeAll(async () => {
  gateway = await TestGateway.start({ environment: { STOWAGE_WORKER_USERNAMES: 'ada eve' } });
  // Something that everybody may see.
  await RequestHistory.begin(gateway, 'admin', null);
});
afterAll(async () => {
  await gateway?.close();
});

const outcomeOf = async (as: Caller, operation: string): Promise<string> => {
  const [open, cancelled, spare] = [
    await RequestHistory.begin(gateway),
    await RequestHistory.begin(gateway),
    `spare-${counter++}`,
  ];
  if (operation.includes('CANCELLED')) await cancelled.end('cancelled');
  if (operation.includes('SPARE')) {
    await gateway.data(`mutation { createToken(name: "${spare}", user: "ada") { __typename } }`, {}, 'admin');
  }
  const text = operation
    .replaceAll('CANCELLED', `${cancelled.number}`)
    .replaceAll('SPARE', spare)
    .replaceAll('"ID"', `"${Buffer.from(`BundleRequest:${open.number}`).toString('base64')}"`)
    .replaceAll(/\bN\b/g, `${open.number}`)
    .replaceAll('#', `${counter++}`);
  if (operation.startsWith('subscription')) {
    for await (const { data, errors } of gateway.sse(text, {}, as)) return outcome(data, errors);
    return 'null';
  }
  if (operation === 'UPLOAD') {
    const query =
      'mutation ($file: Upload!) { x: uploadSource(file: $file) { __typename ... on Error { code } } }';
    const response = await fetch(`${gateway.url}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
        'x-stowage-csrf': '1',
        ...gateway.headers(as),
      },
      body: new Uint8Array(uploadBody({ name: 'a', content: Buffer.from('a') }, query)),
    });
    const { data, errors = [] } = (await response.json()) as { data: unknown; errors?: [] };
    return outcome(data, errors);
  }
  const { data, errors } = await gateway.graphql(text, {}, as);
  return outcome(data, errors);
};

function outcome(data: unknown, errors: { message: string; extensions?: Record<string, unknown> }[]): string {
  if (errors.length > 0) return String(errors[0]!.extensions?.code ?? errors[0]!.message);
  const { x } = data as { x: null | { code?: string } | unknown[] };
  if (x === null || (Array.isArray(x) && x.length === 1 && x[0] === null)) return 'null';
  return (x as { code?: string }).code ?? 'yes';
}

describe.each(ROWS)('$field: $operation', ({ operation, outcomes }) => {
  test('gives everybody what is theirs', async () => {
    const actual: Record<string, string> = {};
    await Promise.all(
      CALLERS.map(async (as) => {
        actual[as] = await outcomeOf(as, operation);
      }),
    );
    expect(actual).toEqual(outcomes);
  });
});

test('every field of the schema is in a table', () => {
  const fields = ['Query', 'Mutation', 'Subscription'].flatMap((name) => {
    const type = schema.getType(name);
    return isObjectType(type) ? Object.keys(type.getFields()).map((field) => `${name}.${field}`) : [];
  });
  const rows = [...ROWS, ...REGISTRY_ROWS, ...IMAGE_ROWS];
  expect([...new Set(rows.map(({ field }) => field))].sort()).toEqual(fields.sort());
});

test('what users are is for administrators', async () => {
  const request = await RequestHistory.begin(gateway);
  const query = `{ bundleRequest(number: ${request.number}) { user { name isAdmin createdAt disabledAt } } }`;
  expect((await gateway.data(query, {}, 'admin')).bundleRequest.user).toEqual({
    name: 'ada',
    isAdmin: false,
    createdAt: expect.any(String),
    disabledAt: null,
  });
  const { data, errors } = await gateway.graphql(query, {}, 'ada');
  expect(data.bundleRequest.user).toEqual({ name: 'ada', isAdmin: null, createdAt: null, disabledAt: null });
  expect(errors.map(({ extensions }) => extensions?.code)).toEqual(['forbidden', 'forbidden', 'forbidden']);
});
