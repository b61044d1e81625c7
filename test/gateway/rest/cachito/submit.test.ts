import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findRequest } from '../../../../src/domain/database/sql/bundle-request-rows.ts';
import { TestGateway } from '../../../support/gateway.ts';

/** POST /api/v1/requests: every text of cachito.md 3, against a real server. */
let gateway: TestGateway;

const REF = 'c50b93a32df1c9d700e3e80996845bc2e13be848';
const REPO = 'https://git.example/org/app.git';
const valid = { repo: REPO, ref: REF };

beforeAll(async () => {
  gateway = await TestGateway.start({
    environment: {
      STOWAGE_USER_REPRESENTATIVES: 'bob',
      STOWAGE_PACKAGE_MANAGERS: 'gomod npm pip git-submodule yarn',
      STOWAGE_MUTUALLY_EXCLUSIVE_PACKAGE_MANAGERS: 'npm/yarn gomod/git-submodule',
    },
  });
});

afterAll(() => gateway.close());

async function post(
  body: unknown,
  as: 'ada' | 'bob' | 'reader' | 'writer' | 'anonymous' = 'ada',
  headers: Record<string, string> = { 'content-type': 'application/json' },
): Promise<[status: number, body: unknown]> {
  const response = await fetch(`${gateway.url}/api/v1/requests`, {
    method: 'POST',
    headers: { ...gateway.headers(as), ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return [response.status, await response.json()];
}

const requestCount = async (): Promise<number> => {
  const [row] = await gateway.stack.database.sql.query<{ count: number }>(
    'select count(*) from bundle_requests',
  );
  return row!.count;
};

const replacement = { name: 'example.com/a', type: 'gomod', version: 'v1.0.0' };
const REPLACEMENT_KEYS =
  'A dependency replacement must be a JSON object with the following keys: name, type, version. It may also contain the following optional keys: new_name.';
const NPM_KEYS = 'The value of "packages.npm" must be an array of objects with the following keys: path';
const PIP_KEYS =
  'The value of "packages.pip" must be an array of objects with the following keys: path, requirements_build_files, requirements_files';
const notRelative = (manager: string, key = 'path'): string =>
  `The "${key}" values in the "packages.${manager}" value must be to a relative path in the source repository`;
const npm = (value: unknown) => ({ pkg_managers: ['npm'], packages: { npm: value } });
const pip = (value: unknown) => ({ pkg_managers: ['pip'], packages: { pip: value } });

describe('What is refused, in this order', () => {
  test.each<[string, unknown, string]>([
    ['an array', [1], 'The input data must be a JSON object'],
    ['null', null, 'The input data must be a JSON object'],
    ['a text', '"x"', 'The input data must be a JSON object'],
    ['nothing at all', {}, 'Missing required parameter(s): ref, repo'],
    ['no repo, before unknown keys', { ref: 5, spam: 1 }, 'Missing required parameter(s): repo'],
    [
      'unknown keys, before the ref',
      { repo: '', ref: '', spam: 1, ham: 1, __proto__: 1 },
      'The following parameters are invalid: ham, spam',
    ],
    [
      'names of prototypes',
      '{"repo":"","ref":"","__proto__":{},"constructor":1}',
      'The following parameters are invalid: __proto__, constructor',
    ],
    ...['abc', REF.toUpperCase(), `${REF}0`, `${REF}\n`, 5, null].map((ref): [string, unknown, string] => [
      `ref ${JSON.stringify(ref)}, before the repo`,
      { repo: 5, ref },
      'The "ref" parameter must be a 40 character hex string',
    ]),
    [
      'a repo that is no text, before managers',
      { repo: 5, ref: REF, pkg_managers: 5 },
      'The "repo" parameter must be a string',
    ],
    ...['https://ada:pa/ss@git.example/a.git', 'https://ada:12?ss@git.example/a.git'].map(
      (repo): [string, unknown, string] => [
        `a password that nobody could hide: ${repo}`,
        { repo, ref: REF },
        'A user name or a password in the URL of the repository must be percent-encoded',
      ],
    ),
    ...['npm', [5], { npm: 1 }, false].map((pkg_managers): [string, unknown, string] => [
      `managers ${JSON.stringify(pkg_managers)}`,
      { ...valid, pkg_managers },
      'The "pkg_managers" value must be an array of strings',
    ]),
    [
      'unknown managers, before packages',
      { ...valid, pkg_managers: ['npm', 'maven', 'cargo', 'maven'], packages: 5 },
      'The following package managers are invalid: cargo, maven',
    ],
    ['packages as an array', { ...valid, packages: [] }, 'The "packages" parameter must be an object'],
    ['no packages', { ...valid, packages: null }, 'The "packages" parameter must be an object'],
    [
      'packages of others, before those without options',
      { ...valid, pkg_managers: ['git-submodule'], packages: { yarn: 1, npm: 1, 'git-submodule': [] } },
      'The following package managers in the "packages" object do not apply: npm, yarn',
    ],
    [
      'packages of the default manager only',
      { ...valid, packages: { npm: [] } },
      'The following package managers in the "packages" object do not apply: npm',
    ],
    [
      'packages of git-submodule',
      { ...valid, pkg_managers: ['git-submodule'], packages: { 'git-submodule': [{ path: '.' }] } },
      'The following package managers in the "packages" object are unsupported: git-submodule',
    ],
    ...[
      {},
      'a',
      ['a'],
      [{}],
      [{ path: 'a' }, { paths: 'a' }],
      [{ path: 'a', requirements_files: [] }],
      null,
    ].map((value): [string, unknown, string] => [
      `npm ${JSON.stringify(value)}`,
      { ...valid, ...npm(value) },
      NPM_KEYS,
    ]),
    ['pip with another key', { ...valid, ...pip([{ path: 'a', binary: {} }]) }, PIP_KEYS],
    ...['', '/a', '..', 'a/../..', '../a', 5, 'a\0', 'x'.repeat(4_097)].map(
      (path): [string, unknown, string] => [
        `path ${JSON.stringify(path).slice(0, 20)}`,
        { ...valid, ...npm([{ path }]) },
        notRelative('npm'),
      ],
    ),
    ...['requirements_files', 'requirements_build_files'].flatMap((key) =>
      [['/a'], ['../a'], [''], [5], 'a'].map((files): [string, unknown, string] => [
        `${key} ${JSON.stringify(files)}`,
        { ...valid, ...pip([{ [key]: files }]) },
        notRelative('pip', key),
      ]),
    ),
    [
      'the same paths of npm and yarn, before flags',
      {
        ...valid,
        flags: 5,
        pkg_managers: ['yarn', 'npm'],
        packages: {
          npm: [{ path: 'c' }, { path: './a/' }, { path: 'x' }],
          yarn: [{ path: 'a' }, { path: 'b/../c' }, { path: 'y' }],
        },
      },
      "The following paths cannot be processed by both 'yarn' and 'npm': a, c",
    ],
    [
      'the root of npm and yarn',
      { ...valid, pkg_managers: ['npm', 'yarn'] },
      "The following paths cannot be processed by both 'npm' and 'yarn': .",
    ],
    [
      'directories beside git-submodule',
      { ...valid, pkg_managers: ['git-submodule', 'gomod'], packages: { gomod: [{ path: 'a' }] } },
      "Cannot process non-root packages with 'gomod' when 'git-submodule' is also set.\nSolution: remove the git submodules and instead process the upstream repos (corresponding to the submodules) directly. Each repo should be processed in a separate request.",
    ],
    ...['zzz', ['cgo-disable', 5], null].map((flags): [string, unknown, string] => [
      `flags ${JSON.stringify(flags)}`,
      { ...valid, flags },
      'The "flags" value must be an array of strings',
    ]),
    [
      'unknown flags, before replacements',
      { ...valid, flags: ['zzz', 'pip-dev-preview', 'cgo-disable'], dependency_replacements: 5 },
      'Invalid/Inactive flag(s): pip-dev-preview, zzz',
    ],
    ...[{}, 'a', null].map((dependency_replacements): [string, unknown, string] => [
      `replacements ${JSON.stringify(dependency_replacements)}`,
      { ...valid, dependency_replacements },
      '"dependency_replacements" must be an array',
    ]),
    ...['a', {}, { name: 'a', type: 'gomod' }, { ...replacement, spam: 1 }, null].map(
      (one): [string, unknown, string] => [
        `a replacement ${JSON.stringify(one)}`,
        { ...valid, dependency_replacements: [replacement, one] },
        REPLACEMENT_KEYS,
      ],
    ),
    ...['name', 'type', 'version', 'new_name'].map((key): [string, unknown, string] => [
      `a replacement whose ${key} is no text, before the user`,
      { ...valid, user: 5, dependency_replacements: [{ ...replacement, [key]: 5 }] },
      `The "${key}" key of the dependency replacement must be a string`,
    ]),
    [
      'a user that is no text, before managers that are not enabled',
      { ...valid, user: 5, pkg_managers: ['rubygems'] },
      'The "user" parameter must be a string',
    ],
    [
      'a manager that is not enabled, before its replacements',
      {
        ...valid,
        pkg_managers: ['rubygems'],
        dependency_replacements: [{ ...replacement, type: 'rubygems' }],
      },
      'The following package managers are not enabled: rubygems',
    ],
    ...(['npm', 'pip', 'yarn'] as const).map((type): [string, unknown, string] => [
      `replacements of ${type}`,
      { ...valid, pkg_managers: [type, 'gomod'], dependency_replacements: [{ ...replacement, type }] },
      `Dependency replacements are not yet supported for the ${type} package manager`,
    ]),
    [
      'replacements of several managers: the first of them',
      {
        ...valid,
        pkg_managers: ['pip', 'npm'],
        dependency_replacements: [
          { ...replacement, type: 'pip' },
          { ...replacement, type: 'npm' },
        ],
      },
      'Dependency replacements are not yet supported for the npm package manager',
    ],
    ...[{ repo: 'a\0b' }, { repo: '\ud800' }].map((texts): [string, unknown, string] => [
      `what no database keeps, ${JSON.stringify(texts)}`,
      { ...valid, ...texts },
      'Texts must not contain NUL characters or halves of surrogate pairs',
    ]),
  ])('%s', async (_title, body, error) => {
    const before = await requestCount();
    expect(await post(body)).toEqual([400, { error }]);
    expect(await requestCount()).toBe(before);
  });
});

test('what is stored', async () => {
  const [status, body] = await post({ ...valid, pkg_managers: ['npm', 'gomod', 'npm'] });
  expect(status).toBe(201);
  const request = await findRequest(gateway.stack.database.sql, (body as { id: number }).id);
  expect(request).toMatchObject({
    rules: 'cachito',
    repository: REPO,
    requestedRef: REF,
    packageManagers: ['gomod', 'npm'],
    state: 'in_progress',
    stateReason: 'The request was initiated',
  });
});

test('a request was created when it got its first state', async () => {
  const [, body] = await post(valid);
  const { created, updated, state_history } = body as Record<string, unknown>;
  expect(created).toBe(updated);
  expect(state_history).toEqual([expect.objectContaining({ updated: created })]);
});

test('without a database the request is to be sent again', async () => {
  const { sql } = gateway.stack.database;
  const { query } = sql;
  sql.query = () => Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }));
  try {
    expect(await post(valid)).toEqual([
      503,
      { error: 'Failed to schedule the task to the workers. Please try again.' },
    ]);
  } finally {
    sql.query = query;
  }
});
