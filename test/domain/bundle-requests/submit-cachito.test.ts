import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { submitCachitoRequest } from '../../../src/domain/bundle-requests/submit-cachito.ts';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { addUser } from '../../../src/domain/identity/accounts.ts';
import { type Principal, SCOPES } from '../../../src/domain/identity/principal.ts';
import { testDatabase } from '../../support/database.ts';

/** What Cachito's rules make of a body, and what becomes of it (cachito.md 3). */
let database: Database;
let ada: Principal;
const settings = readSettings({ STOWAGE_USER_REPRESENTATIVES: 'ada' });
const valid = { repo: 'https://git.example/org/app.git', ref: 'c'.repeat(40) };

beforeAll(async () => {
  database = await testDatabase();
  const { id } = await addUser(database, { name: 'ada' });
  ada = { userId: id, name: 'ada', isAdmin: false, scopes: new Set(SCOPES) };
});

afterAll(() => database.close());

const submit = (body: object, environment: Record<string, string> = {}) =>
  submitCachitoRequest(database, { ...settings, ...readSettings(environment) }, ada, { ...valid, ...body });

describe('What is accepted', () => {
  const defaults = {
    repository: valid.repo,
    requestedRef: valid.ref,
    rules: 'cachito',
    projectId: null,
    submittedById: null,
    detect: false,
    packageManagers: ['gomod'],
    packages: {},
    flags: [],
    dependencyReplacements: [],
    strictIntegrity: false,
    state: 'in_progress',
    stateReason: 'The request was initiated',
  };

  test.each<[string, object, object]>([
    ['the least', {}, {}],
    ['no managers are the default ones', { pkg_managers: null }, {}],
    ['none at all: the source only', { pkg_managers: [] }, { packageManagers: [] }],
    [
      'managers, once and in our order',
      { pkg_managers: ['yarn', 'git-submodule', 'gomod', 'yarn'] },
      { packageManagers: ['gomod', 'git-submodule', 'yarn'] },
    ],
    ['a repo without anything', { repo: '' }, { repository: '' }],
    ['a repo that is a path', { repo: '/srv/git' }, { repository: '/srv/git' }],
    [
      'packages, normalised; an empty list is the root',
      {
        pkg_managers: ['npm', 'pip', 'gomod'],
        packages: {
          npm: [{ path: './a//b/' }, { path: 'a/b' }, { path: 'a..b' }, { path: null }],
          gomod: [],
          pip: [
            { path: 'x/../y', requirements_files: ['./r.txt'], requirements_build_files: [] },
            { requirements_files: null },
          ],
        },
      },
      {
        packageManagers: ['gomod', 'npm', 'pip'],
        packages: {
          npm: [{ path: 'a/b' }, { path: 'a/b' }, { path: 'a..b' }, { path: '.' }],
          pip: [{ path: 'y', requirementsFiles: ['r.txt'], requirementsBuildFiles: [] }, { path: '.' }],
        },
      },
    ],
    [
      'npm and yarn in other directories',
      { pkg_managers: ['npm', 'yarn'], packages: { yarn: [{ path: 'web' }] } },
      { packageManagers: ['npm', 'yarn'], packages: { yarn: [{ path: 'web' }] } },
    ],
    [
      'git-submodule beside directories, unless the operator says no',
      { pkg_managers: ['gomod', 'git-submodule'], packages: { gomod: [{ path: 'sub' }] } },
      { packageManagers: ['gomod', 'git-submodule'], packages: { gomod: [{ path: 'sub' }] } },
    ],
    [
      'flags, once and in order',
      { flags: ['include-git-dir', 'cgo-disable', 'cgo-disable', 'offline-bundle'] },
      { flags: ['cgo-disable', 'include-git-dir', 'offline-bundle'] },
    ],
    [
      'replacements, also those that do nothing',
      {
        dependency_replacements: [
          { type: 'gomod', name: 'a', version: '1', new_name: 'b' },
          { type: 'npm', name: 'c', version: '2' },
          { type: 'conan', name: 'd', version: '3' },
        ],
      },
      {
        dependencyReplacements: [
          { type: 'gomod', name: 'a', version: '1', newName: 'b' },
          { type: 'npm', name: 'c', version: '2' },
          { type: 'conan', name: 'd', version: '3' },
        ],
      },
    ],
  ])('%s', async (_title, body, expected) => {
    expect(await submit(body)).toMatchObject({ ...defaults, userId: ada.userId, ...expected });
  });

  test('other defaults and pairs, where the operator sets them', async () => {
    expect(await submit({}, { STOWAGE_DEFAULT_PACKAGE_MANAGERS: 'npm pip' })).toMatchObject({
      packageManagers: ['npm', 'pip'],
    });
    const both = { pkg_managers: ['npm', 'yarn'] };
    const none = { STOWAGE_MUTUALLY_EXCLUSIVE_PACKAGE_MANAGERS: 'none' };
    expect(await submit(both, none)).toMatchObject({ packageManagers: ['npm', 'yarn'] });
    await expect(submit({}, { STOWAGE_PACKAGE_MANAGERS: 'npm' })).rejects.toThrow(
      'The following package managers are not enabled: gomod',
    );
  });

  test('any worker may take it, whatever its repo is: it is refused by the worker', async () => {
    const { id } = await submit({ repo: '/srv/git' });
    const [job] = await database.sql.query(
      `select flags from graphile_worker.jobs where key like 'step:%' order by id desc limit 1`,
    );
    expect([id > 0, job]).toEqual([true, { flags: { 'task:fetch-source': true } }]);
  });
});

test.each(['npm', 'npm/npm', 'npm/yarn/pip', 'npm/maven', 'all', 'npm/'])(
  'pairs of managers: "%s" is refused',
  (value) => {
    expect(() => readSettings({ STOWAGE_MUTUALLY_EXCLUSIVE_PACKAGE_MANAGERS: value })).toThrow(
      /^STOWAGE_MUTUALLY_EXCLUSIVE_PACKAGE_MANAGERS: /,
    );
  },
);

test('without a database the request is to be sent again (cachito.md 3, number 13)', async () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const lost = { ...database, transaction: () => Promise.reject(refused) };
  await expect(submitCachitoRequest(lost, settings, ada, valid)).rejects.toMatchObject({
    code: 'database-unavailable',
    message: 'Failed to schedule the task to the workers. Please try again.',
    retryable: true,
  });
});
