import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BundleRequest } from '../../../src/domain/bundle-requests/bundle-request.ts';
import { changeState } from '../../../src/domain/bundle-requests/change-state.ts';
import {
  addConfigurationFiles,
  addEnvironment,
  defaultForm,
  readConfigurationFiles,
  readEnvironment,
} from '../../../src/domain/bundle-requests/setup.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { lockRequest } from '../../../src/domain/database/sql/bundle-request-rows.ts';
import { findRegistryPassword } from '../../../src/domain/database/sql/package-registries.ts';
import {
  insertConfigurationFiles,
  insertEnvironment,
} from '../../../src/domain/database/sql/request-setup.ts';
import {
  registryAddress,
  registryAuth,
  registryUrl,
  registryUrlWithCredentials,
} from '../../../src/domain/package-registries/registry-address.ts';
import { testDatabase } from '../../support/database.ts';
import { submit } from '../../support/requests.ts';

const BASE = 'https://stowage.example/below';

let database: Database;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

const become = (id: number, state: BundleRequest['state']) =>
  database.transaction(async ({ sql }) => changeState(sql, await lockRequest(sql, id), state, state));
const environment = async (request: BundleRequest, form: 'offline' | 'registry' | null = null) =>
  (await readEnvironment(database.sql, { request, form, baseUrl: BASE })).map(
    ({ name, value, kind }) => `${name}=${value} (${kind})`,
  );
const files = async (request: BundleRequest, form: 'offline' | 'registry' | null = null) =>
  (await readConfigurationFiles(database.sql, { request, form, baseUrl: BASE })).map(({ path, encoded }) => [
    path,
    encoded,
  ]);
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('The form that readers get', () => {
  test.each([
    ['native', [], 'offline'],
    ['native', ['offline-bundle'], 'offline'],
    ['cachito', [], 'registry'],
    ['cachito', ['cgo-disable', 'offline-bundle'], 'offline'],
  ] as const)('under %s rules with the flags %j: %s', async (rules, flags, form) => {
    const request: BundleRequest = { ...(await submit(database)), rules, flags: [...flags] };
    expect(defaultForm(request)).toBe(form);
    await insertEnvironment(database.sql, request.id, 'offline', [
      { name: 'FORM', value: 'offline', kind: 'literal' },
    ]);
    await insertEnvironment(database.sql, request.id, 'registry', [
      { name: 'FORM', value: 'registry', kind: 'literal' },
    ]);
    expect(await environment(request)).toEqual([`FORM=${form} (literal)`]);
    expect(await environment(request, 'offline')).toEqual(['FORM=offline (literal)']);
    expect(await environment(request, 'registry')).toEqual(['FORM=registry (literal)']);
  });

  test.each([
    ['cachito', [], 'offline', 'refused'],
    ['cachito', [], 'registry', 'given'],
    ['cachito', [], null, 'given'],
    ['cachito', ['offline-bundle'], 'offline', 'given'],
    ['native', [], 'offline', 'given'],
  ] as const)('with rubygems, %s rules, the flags %j: %s is %s', async (rules, flags, form, outcome) => {
    const request: BundleRequest = {
      ...(await submit(database)),
      rules,
      flags: [...flags],
      packageManagers: ['npm', 'rubygems'],
    };
    if (outcome === 'given') {
      expect(await environment(request, form)).toEqual([]);
      expect(await files(request, form)).toEqual([]);
      return;
    }
    const text = 'The request was not made with the offline-bundle flag';
    await expect(environment(request, form)).rejects.toMatchObject({ code: 'invalid-input', message: text });
    await expect(files(request, form)).rejects.toMatchObject({ code: 'invalid-input', message: text });
  });
});

describe('Addresses and passwords', () => {
  const text = [
    registryUrl('npm'),
    registryAddress('yarn'),
    registryAuth('yarn'),
    registryUrlWithCredentials('pip-raw'),
    '{stowage-registry:other:url}',
    'é \u0000',
  ].join('\n');

  test('are those of the request once it is complete, and stay readable when they open nothing any more', async () => {
    const request = await submit(database);
    const content = Buffer.concat([Buffer.from(text), Buffer.from([0xff])]);
    await insertConfigurationFiles(database.sql, request.id, 'registry', [
      { path: 'app/.npmrc', content, encoded: null },
    ]);
    const url = registryUrlWithCredentials('pip-hosted');
    await insertEnvironment(database.sql, request.id, 'registry', [
      { name: 'PIP_INDEX_URL', value: `${url}simple`, kind: 'literal' },
    ]);
    expect(await environment(request, 'registry')).toEqual([`PIP_INDEX_URL=${url}simple (literal)`]);

    await become(request.id, 'complete');
    const { id } = request;
    const password = (await findRegistryPassword(database.sql, id))!;
    const filled = [
      `${BASE}/packages/cachito-npm-${id}/`,
      `//stowage.example/below/packages/cachito-yarn-${id}/`,
      base64(`cachito-yarn-${id}:${password}`),
      `https://cachito-pip-${id}:${password}@stowage.example/below/packages/cachito-pip-raw-${id}/`,
      '{stowage-registry:other:url}',
      'é \u0000',
    ].join('\n');
    const expected = Buffer.concat([Buffer.from(filled), Buffer.from([0xff])]);
    const variables = [
      `PIP_INDEX_URL=https://cachito-pip-${id}:${password}@stowage.example/below/packages/cachito-pip-hosted-${id}/simple (literal)`,
    ];
    expect(await files(request, 'registry')).toEqual([['app/.npmrc', expected.toString('base64')]]);
    expect(await environment(request, 'registry')).toEqual(variables);

    await become(request.id, 'stale');
    expect(await files(request, 'registry')).toEqual([['app/.npmrc', expected.toString('base64')]]);
    expect(await environment(request, 'registry')).toEqual(variables);
  });

  test('a password given out once is that of the next attempt, too', async () => {
    const request = await submit(database);
    await become(request.id, 'failed');
    expect(await findRegistryPassword(database.sql, request.id)).toBeNull();
    await become(request.id, 'in_progress');
    await become(request.id, 'complete');
    expect(await findRegistryPassword(database.sql, request.id)).toMatch(/^[0-9a-f]{32}$/);
  });
});

describe('What is added from outside', () => {
  test('variables: both values are kept, the later one counts, equal ones are one', async () => {
    const request = await submit(database);
    const add = (...variables: [string, string][]) =>
      database.transaction((tx) =>
        addEnvironment(
          tx,
          request.id,
          variables.map(([name, value]) => ({ name, value, kind: 'literal' })),
        ),
      );
    await add(['B', 'first'], ['A', 'only']);
    await add(['B', 'second']);
    await add(['B', 'first'], ['a', 'lower case'], ['_', 'sorted by code point']);
    for (const form of ['offline', 'registry'] as const) {
      expect(await environment(request, form)).toEqual([
        'A=only (literal)',
        'B=second (literal)',
        '_=sorted by code point (literal)',
        'a=lower case (literal)',
      ]);
    }
    const [counted] = await database.sql.query<{ count: number }>(
      `select count(*)::int from bundle_request_environment where request_id = $1 and form = 'registry'`,
      [request.id],
    );
    expect(counted).toEqual({ count: 5 });
  });

  test('files: two contents for one path are both returned, equal ones once, whatever they are', async () => {
    const request = await submit(database);
    const add = (...added: [string, string][]) =>
      database.transaction((tx) =>
        addConfigurationFiles(
          tx,
          request.id,
          added.map(([path, encoded]) => ({ path, encoded })),
        ),
      );
    await add(['app/z', base64('z')], ['app/b', base64('one')], ['app/b', base64('one')]);
    await add(['app/b', base64('two')], ['app/b', base64('one')]);
    await add(['app/a', 'this is no Base64!'], ['app/a', 'dGhpcw'], ['app/a', 'dGhpcw==']);
    for (const form of ['offline', 'registry'] as const) {
      expect(await files(request, form)).toEqual([
        ['app/a', 'this is no Base64!'],
        ['app/a', 'dGhpcw'],
        ['app/a', 'dGhpcw=='],
        ['app/b', base64('one')],
        ['app/b', base64('two')],
        ['app/z', base64('z')],
      ]);
    }
  });

  test('nothing at all is fine', async () => {
    const request = await submit(database);
    await database.transaction(async (tx) => {
      await addEnvironment(tx, request.id, []);
      await addConfigurationFiles(tx, request.id, []);
    });
    expect(await environment(request)).toEqual([]);
    expect(await files(request)).toEqual([]);
  });
});
