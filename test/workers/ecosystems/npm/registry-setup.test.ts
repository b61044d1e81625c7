import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { npm } from '../../../../src/workers/ecosystems/npm/index.ts';
import { DEFAULT_REGISTRY } from '../../../../src/workers/javascript-packages/registries.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { type NpmRegistry, startNpmRegistry } from '../../../support/npm-registry.ts';
import { resolveContext, temporaryDirectory } from '../../../support/resolve-context.ts';

const COMMIT = 'ab'.repeat(20);
const SOURCE = `git+ssh://git@git.example/ns/dep.git#${COMMIT}`;
const NPMRC = [
  'registry={stowage-registry:npm:url}',
  'email=noreply@domain.local',
  'always-auth=true',
  '{stowage-registry:npm:address}:_auth={stowage-registry:npm:auth}',
  'fetch-retries=5',
  'fetch-retry-factor=2',
  'strict-ssl=true',
];

let registry: NpmRegistry;
beforeAll(async () => {
  registry = await startNpmRegistry([
    { name: 'a', version: '1.0.0' },
    { name: '@s/b', version: '2.0.0' },
  ]);
});
afterAll(() => registry.close());

const item = (name: string, resolved: string | null) => ({
  version: registry.find(name).version,
  ...(resolved !== null && { resolved }),
  integrity: registry.find(name).integrity,
});

async function resolve(packages: Record<string, object>, settings = {}, path = '.') {
  const at = (name: string) => join(path, name);
  const lock = { name: 'app', version: '1.0.0', lockfileVersion: 3, packages };
  const { context } = resolveContext({
    source: memorySourceTree({
      [at('package.json')]: JSON.stringify({ name: 'app', dependencies: { dep: SOURCE } }),
      [at('package-lock.json')]: JSON.stringify(lock),
    }),
    packages: [{ path }],
    settings: { npmRegistry: registry.url.slice(0, -1), ...settings },
    trees: {
      [`ssh://git@git.example/ns/dep.git#${COMMIT}`]: memorySourceTree({
        'package.json': JSON.stringify({ name: 'dep', version: '4.0.0' }),
      }),
    },
  });
  const { registry: setup } = await npm.resolve(context);
  return {
    environment: setup.environment.map(({ name, value, kind }) => `${name}=${value} (${kind})`),
    files: Object.fromEntries(
      setup.configurationFiles.map(({ path, content }) => [path, content.toString()]),
    ),
  };
}

describe('The setup for the registry of the request', () => {
  test('has nothing but .npmrc when all packages are those of the public registry', async () => {
    const { environment, files } = await resolve({
      '': { name: 'app', version: '1.0.0' },
      'node_modules/a': item('a', `${DEFAULT_REGISTRY}a/-/a-1.0.0.tgz`),
      'node_modules/@s/b': item('@s/b', `${DEFAULT_REGISTRY}@s%2fb/-/b-2.0.0.tgz`),
      'node_modules/c': { ...item('a', null), name: 'a' },
    });
    expect(files).toEqual({ 'app/.npmrc': `${NPMRC.join('\n')}\n` });
    expect(environment).toEqual([
      'CHROMEDRIVER_SKIP_DOWNLOAD=true (literal)',
      'CYPRESS_INSTALL_BINARY=0 (literal)',
      'GECKODRIVER_SKIP_DOWNLOAD=true (literal)',
      'SKIP_SASS_BINARY_DOWNLOAD_FOR_CI=true (literal)',
    ]);
  });

  test.each([
    ['https://registry.yarnpkg.com/a/-/a-1.0.0.tgz'],
    [`${DEFAULT_REGISTRY}mirror/a/-/a-1.0.0.tgz`],
    [`${DEFAULT_REGISTRY}%zz/a-1.0.0.tgz`],
  ])('names our tarball where npm would not look for it there: %s', async (resolved) => {
    const { files } = await resolve({
      '': { name: 'app', version: '1.0.0' },
      'node_modules/x': { ...item('a', resolved), name: 'a' },
      'node_modules/@s/b': item('@s/b', `${DEFAULT_REGISTRY}@s/b/-/b-2.0.0.tgz`),
    });
    expect(JSON.parse(files['app/package-lock.json']!).packages).toEqual({
      '': { name: 'app', version: '1.0.0' },
      'node_modules/x': { ...item('a', '{stowage-registry:npm:url}a/-/a-1.0.0.tgz'), name: 'a' },
      'node_modules/@s/b': item('@s/b', `${DEFAULT_REGISTRY}@s/b/-/b-2.0.0.tgz`),
    });
  });

  test('has repacked dependencies by their new versions', async () => {
    const { files } = await resolve({
      '': { name: 'app', version: '1.0.0', dependencies: { dep: SOURCE } },
      'node_modules/dep': { version: '4.0.0', resolved: SOURCE, from: 'dep@latest' },
      'node_modules/a': item('a', `${DEFAULT_REGISTRY}a/-/a-1.0.0.tgz`),
    });
    const version = `4.0.0-external-gitcommit-${COMMIT}`;
    expect(files['app/package.json']).toBe(
      JSON.stringify({ name: 'app', dependencies: { dep: version } }, null, 2),
    );
    expect(JSON.parse(files['app/package-lock.json']!).packages).toEqual({
      '': { name: 'app', version: '1.0.0', dependencies: { dep: version } },
      'node_modules/dep': {
        version,
        resolved: `{stowage-registry:npm:url}dep/-/dep-${version}.tgz`,
        integrity: expect.stringMatching(/^sha512-/),
      },
      'node_modules/a': item('a', `${DEFAULT_REGISTRY}a/-/a-1.0.0.tgz`),
    });
  });

  test("brings the CA of the operator's certificate", async () => {
    const registryCaFile = join(temporaryDirectory(), 'ca.pem');
    writeFileSync(registryCaFile, 'a certificate\n');
    const { files } = await resolve(
      { '': { name: 'app', version: '1.0.0' } },
      { registryCaFile },
      'web/client',
    );
    expect(files).toEqual({
      'app/web/client/.npmrc': `${[...NPMRC, 'cafile="../../registry-ca.pem"'].join('\n')}\n`,
      'app/registry-ca.pem': 'a certificate\n',
    });
  });
});
