import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestGateway } from '../../support/gateway.ts';

const SUBMIT = `mutation ($input: SubmitBundleRequestInput!) {
  submitBundleRequest(input: $input) {
    __typename
    ... on Error { code message hint details }
    ... on MutationSubmitBundleRequestSuccess { data {
      repository requestedRef upload detect packageManagers plan flags dependencyReplacements strictIntegrity rules
      user { name } project { name } steps { task packageManager state }
    } }
  }
}`;
const REPOSITORY = 'https://git.example/org/app.git';

let gateway: TestGateway;

beforeAll(async () => {
  gateway = await TestGateway.start({ environment: { STOWAGE_PACKAGE_MANAGERS: 'gomod,npm,pip' } });
});
afterAll(async () => {
  await gateway?.close();
});

const submit = async (input: object, as: Parameters<TestGateway['graphql']>[2] = 'ada') =>
  (await gateway.data(SUBMIT, { input }, as)).submitBundleRequest;
const requestCount = async (): Promise<number> => {
  const [row] = await gateway.stack.database.sql.query<{ n: number }>(
    `select (select count(*) from bundle_requests) + (select count(*) from graphile_worker.jobs) as n`,
  );
  return row!.n;
};

describe('What is submitted', () => {
  const defaults = {
    repository: REPOSITORY,
    requestedRef: null,
    upload: null,
    detect: false,
    packageManagers: [],
    plan: {},
    flags: [],
    dependencyReplacements: [],
    strictIntegrity: false,
    rules: 'native',
    user: { name: 'ada' },
    project: null,
  };
  const [fetching, assembling] = [
    { task: 'FETCH_SOURCE', packageManager: null, state: 'QUEUED' },
    { task: 'ASSEMBLE_BUNDLE', packageManager: null, state: 'WAITING' },
  ];
  const resolving = (packageManager: string) => ({
    task: 'RESOLVE_PACKAGES',
    packageManager,
    state: 'WAITING',
  });

  test.each<[string, object, object]>([
    [
      'nothing but a repository: package managers are detected',
      {},
      { detect: true, steps: [fetching, assembling] },
    ],
    ['no package manager: the source only', { packageManagers: [] }, { steps: [fetching, assembling] }],
    ['null is the same as nothing', { packageManagers: null, packages: null, ref: null }, { detect: true }],
    [
      'package managers, in the order in which they are reported',
      { packageManagers: ['PIP', 'GOMOD', 'PIP'], ref: 'v1.0' },
      {
        requestedRef: 'v1.0',
        packageManagers: ['GOMOD', 'PIP'],
        steps: [fetching, resolving('GOMOD'), resolving('PIP'), assembling],
      },
    ],
    [
      'packages name their managers',
      {
        packages: [
          { manager: 'NPM', path: 'web/' },
          { manager: 'NPM' },
          {
            manager: 'PIP',
            path: './a//b',
            requirementsFiles: ['r.txt', 'x/../y.txt'],
            requirementsBuildFiles: null,
            binary: { packages: ':all:', arch: 'x86_64', os: null },
          },
        ],
      },
      {
        packageManagers: ['NPM', 'PIP'],
        plan: {
          npm: [{ path: 'web' }, { path: '.' }],
          pip: [
            {
              path: 'a/b',
              requirementsFiles: ['r.txt', 'y.txt'],
              binary: { packages: ':all:', arch: 'x86_64' },
            },
          ],
        },
      },
    ],
    [
      'flags, once and in order; replacements; strictness',
      {
        packageManagers: ['GOMOD'],
        flags: ['GOMOD_VENDOR', 'CGO_DISABLE', 'CGO_DISABLE'],
        dependencyReplacements: [
          { type: 'gomod', name: 'example.com/a', version: 'v1.0.0' },
          { type: 'gomod', name: 'example.com/b', version: 'v1.0.0', newName: 'example.com/c' },
        ],
        strictIntegrity: true,
      },
      {
        packageManagers: ['GOMOD'],
        flags: ['CGO_DISABLE', 'GOMOD_VENDOR'],
        dependencyReplacements: [
          { type: 'gomod', name: 'example.com/a', version: 'v1.0.0' },
          { type: 'gomod', name: 'example.com/b', version: 'v1.0.0', newName: 'example.com/c' },
        ],
        strictIntegrity: true,
      },
    ],
    ['a project', { packageManagers: [], project: 'apps' }, { project: { name: 'apps' } }],
    [
      'credentials of a URL are not shown',
      { packageManagers: [], repository: 'https://user:secret@git.example/a.git' },
      { repository: 'https://git.example/a.git' },
    ],
  ])('%s', async (_title, input, expected) => {
    const result = await submit({ repository: REPOSITORY, ...input });
    expect(result).toEqual({
      __typename: 'MutationSubmitBundleRequestSuccess',
      data: { ...defaults, steps: expect.any(Array), ...expected },
    });
  });
});

describe('What is refused', () => {
  test.each(['https://ada:pa/ssw0rd@git.example/a.git', 'https://ada:12/ssw0rd@git.example/a.git'])(
    'a password that nobody could hide is repeated nowhere: %s',
    async (repository) => {
      expect(await submit({ repository })).toEqual({
        __typename: 'InvalidInputError',
        code: 'invalid-input',
        message: 'A user name or a password in the URL of the repository must be percent-encoded',
        hint: 'Write "/" as %2F, "?" as %3F, "#" as %23; and as %40 an "@" that stands in the path.',
        details: {},
      });
      const { bundleRequests } = await gateway.data(
        'query ($repository: String) { bundleRequests(filter: { repository: $repository }) { totalCount } }',
        { repository },
      );
      expect(bundleRequests.totalCount).toBe(0);
      await fetch(`${gateway.url}/api/v1/requests?repo=${encodeURIComponent(repository)}`);
      const { auditLog } = await gateway.data('{ auditLog(first: 1) { nodes { details } } }', {}, 'admin');
      expect(auditLog.nodes[0].details.input.repository).toBe('https://***@git.example/a.git');
      await expect
        .poll(() => gateway.logged.some(({ url }) => url === '/api/v1/requests?repo=***'))
        .toBe(true);
      expect(JSON.stringify([auditLog, gateway.logged])).not.toContain('ssw0rd');
    },
  );

  const ref = (text: string): [object, string] => [
    { ref: text },
    `"${text}" is not a valid commit, branch or tag`,
  ];
  const path = (text: string): [object, string] => [
    { packages: [{ manager: 'NPM', path: text }] },
    `"${text.slice(0, 60)}" must be a relative path in the source repository`,
  ];

  test.each<[object, string]>([
    [{ repository: null }, 'Give either a repository or an upload'],
    [{ upload: 1 }, 'Give either a repository or an upload'],
    [{ repository: null, upload: 1, ref: 'main' }, 'An upload has no ref'],
    [{ repository: '' }, 'The repository must be a URL without spaces'],
    [{ repository: 'https://git.example/a b' }, 'The repository must be a URL without spaces'],
    [{ repository: 'https://git.example/a\nb' }, 'The repository must be a URL without spaces'],
    [{ repository: 'https://git.example/a\u007f' }, 'The repository must be a URL without spaces'],
    [
      { repository: `https://git.example/${'a'.repeat(2_000)}` },
      'The repository must be a URL without spaces',
    ],
    [{ repository: '--upload-pack=touch' }, 'The repository must not begin with "-"'],
    ...['', '-b', '--output=x', 'a..b', 'a b', 'a~1', 'a^', 'a:b', 'a?', 'a*', 'a[', 'a\\b', '@{1}'].map(ref),
    [{ ref: 'x'.repeat(256) }, `"${'x'.repeat(60)}" is not a valid commit, branch or tag`],
    [{ packageManagers: ['YARN', 'NPM'] }, 'The following package managers are not enabled: yarn'],
    [
      { packages: [{ manager: 'YARN' }, { manager: 'RUBYGEMS' }] },
      'The following package managers are not enabled: rubygems, yarn',
    ],
    ...['', '/etc', '..', 'a/../..', '../a', 'a/../../b', 'x'.repeat(4_097)].map(path),
    [
      { packages: [{ manager: 'PIP', requirementsFiles: ['../r.txt'] }] },
      '"../r.txt" must be a relative path in the source repository',
    ],
    [
      { packages: [{ manager: 'PIP', requirementsBuildFiles: ['/r.txt'] }] },
      '"/r.txt" must be a relative path in the source repository',
    ],
    [
      { packages: [{ manager: 'NPM', requirementsFiles: ['r.txt'] }] },
      '"requirementsFiles" is for pip only, not for npm',
    ],
    [{ packages: [{ manager: 'GOMOD', binary: {} }] }, '"binary" is for pip only, not for gomod'],
    ...['npm', 'pip'].map((type): [object, string] => [
      {
        packageManagers: ['GOMOD', 'NPM', 'PIP'],
        dependencyReplacements: [{ type, name: 'a', version: '1' }],
      },
      `Dependency replacements are not yet supported for the ${type} package manager`,
    ]),
  ])('%j', async (input, message) => {
    const before = await requestCount();
    expect(await submit({ repository: REPOSITORY, ...input })).toEqual({
      __typename: 'InvalidInputError',
      code: 'invalid-input',
      message,
      hint: null,
      details: {},
    });
    expect(await requestCount()).toBe(before);
  });

  test.each([
    ['a viewer', 'bob', { project: 'apps' }, 'ForbiddenError', 'This needs the role "developer" in "apps"'],
    ['a stranger', 'eve', { project: 'apps' }, 'NotFoundError', 'There is no project "apps"'],
    [
      'somebody, a project that is not',
      'ada',
      { project: 'nope' },
      'NotFoundError',
      'There is no project "nope"',
    ],
    [
      'a token that may only read',
      'reader',
      {},
      'ForbiddenError',
      'This token does not have the scope "write"',
    ],
    ['nobody', 'anonymous', {}, 'UnauthenticatedError', 'Log in to do this'],
    [
      'somebody, an upload that is not',
      'ada',
      { repository: null, upload: 99 },
      'NotFoundError',
      'There is no upload 99',
    ],
  ] as const)('%s', async (_title, as, input, __typename, message) => {
    const before = await requestCount();
    expect(await submit({ repository: REPOSITORY, ...input }, as)).toMatchObject({ __typename, message });
    expect(await requestCount()).toBe(before);
  });

  test('package managers, flags and fields that do not exist', async () => {
    for (const input of [{ packageManagers: ['MAVEN'] }, { flags: ['FAST'] }, { reference: 'main' }]) {
      const { status, errors, data } = await gateway.graphql(SUBMIT, {
        input: { repository: REPOSITORY, ...input },
      });
      expect([status, data, errors.length]).toEqual([400, null, 1]);
      expect(errors[0]!.message).toMatch(/^Variable "\$input" (got|has) invalid value/);
    }
  });
});
