import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Caller, TestGateway } from '../../support/gateway.ts';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start();
});
afterAll(async () => {
  await gateway?.close();
});

const RESULT = (type: string) => `{
  __typename
  ... on Error { code message }
  ... on ${type} { data { state stateReason attempt finishedAt steps { task state } } }
}`;
const change = async (field: 'cancel' | 'retry', number: number, as: Caller = 'ada') => {
  const name = `${field}BundleRequest`;
  const type = `Mutation${name[0]!.toUpperCase()}${name.slice(1)}Success`;
  const query = `mutation ($n: Int!) { result: ${name}(number: $n) ${RESULT(type)} }`;
  return (await gateway.data(query, { n: number }, as)).result;
};
const submitted = async (as: Caller = 'ada', project: string | null = 'apps'): Promise<number> => {
  const { result } = await gateway.data(
    `mutation ($input: SubmitBundleRequestInput!) { result: submitBundleRequest(input: $input) {
       ... on MutationSubmitBundleRequestSuccess { data { number } } ... on Error { message } } }`,
    { input: { repository: 'https://git.example/a.git', packageManagers: ['NPM'], project } },
    as,
  );
  return result.data.number;
};

describe('Cancel and retry', () => {
  test('end a request and begin it anew', async () => {
    const number = await submitted();
    expect(await change('cancel', number)).toEqual({
      __typename: 'MutationCancelBundleRequestSuccess',
      data: {
        state: 'CANCELLED',
        stateReason: 'The request was cancelled by ada',
        attempt: 1,
        finishedAt: expect.any(String),
        steps: [
          { task: 'FETCH_SOURCE', state: 'CANCELLED' },
          { task: 'RESOLVE_PACKAGES', state: 'CANCELLED' },
          { task: 'ASSEMBLE_BUNDLE', state: 'CANCELLED' },
        ],
      },
    });
    expect(await change('retry', number)).toEqual({
      __typename: 'MutationRetryBundleRequestSuccess',
      data: {
        state: 'IN_PROGRESS',
        stateReason: 'The request was retried by ada',
        attempt: 2,
        finishedAt: null,
        steps: [
          { task: 'FETCH_SOURCE', state: 'QUEUED' },
          { task: 'RESOLVE_PACKAGES', state: 'WAITING' },
          { task: 'ASSEMBLE_BUNDLE', state: 'WAITING' },
        ],
      },
    });
  });

  test('a second cancellation changes nothing', async () => {
    const number = await submitted();
    const first = await change('cancel', number);
    expect(await change('cancel', number)).toEqual(first);
  });

  test('conflicts name the state', async () => {
    const number = await submitted();
    expect(await change('retry', number)).toEqual({
      __typename: 'ConflictError',
      code: 'conflict',
      message: `Request ${number} is in_progress; only a failed or cancelled request can be retried`,
    });
    await gateway.stack.database.sql.query("update bundle_requests set state = 'complete' where id = $1", [
      number,
    ]);
    expect(await change('cancel', number)).toEqual({
      __typename: 'ConflictError',
      code: 'conflict',
      message: `Request ${number} is complete; only a request in progress can be cancelled`,
    });
    expect(await change('retry', number)).toMatchObject({
      __typename: 'ConflictError',
      message: `Request ${number} is complete; only a failed or cancelled request can be retried`,
    });
  });

  test('of many at once, one retry counts', async () => {
    const number = await submitted();
    await change('cancel', number);
    const results = await Promise.all([1, 2, 3].map(() => change('retry', number)));
    expect(results.map(({ __typename }) => __typename).sort()).toEqual([
      'ConflictError',
      'ConflictError',
      'MutationRetryBundleRequestSuccess',
    ]);
  });

  test.each<[Caller, string, string]>([
    [
      'bob',
      'ForbiddenError',
      'Only its submitter, developers of its project and administrators may change a request',
    ],
    ['eve', 'NotFoundError', 'There is no bundle request N'],
    ['reader', 'ForbiddenError', 'This token does not have the scope "write"'],
    ['writer', 'ForbiddenError', 'This token does not have the scope "read"'],
    ['anonymous', 'UnauthenticatedError', 'Log in to do this'],
  ])('%s may not', async (as, __typename, message) => {
    const number = await submitted();
    for (const field of ['cancel', 'retry'] as const) {
      expect(await change(field, number, as)).toEqual({
        __typename,
        code: expect.any(String),
        message: message.replace('N', String(number)),
      });
    }
  });

  test.each<[Caller, Caller]>([
    ['ada', 'admin'],
    ['admin', 'ada'],
  ])('what %s submitted, %s may cancel', async (submitter, as) => {
    const number = await submitted(submitter);
    expect((await change('cancel', number, as)).data.stateReason).toBe(`The request was cancelled by ${as}`);
  });

  test('without a project, everybody sees it and only its submitter changes it', async () => {
    const number = await submitted('eve', null);
    expect((await change('cancel', number, 'ada')).__typename).toBe('ForbiddenError');
    expect((await change('cancel', number, 'eve')).data.state).toBe('CANCELLED');
  });

  test.each([0, -1, 999_999, 2 ** 31 - 1])('there is no request %i', async (number) => {
    expect(await change('cancel', number)).toEqual({
      __typename: 'NotFoundError',
      code: 'not-found',
      message: `There is no bundle request ${number}`,
    });
    expect((await change('retry', number, 'anonymous')).__typename).toBe('UnauthenticatedError');
  });
});
