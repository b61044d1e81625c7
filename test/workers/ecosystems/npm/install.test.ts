import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Settings } from '../../../../src/domain/config.ts';
import type { SourceTree } from '../../../../src/domain/sources/source-tree.ts';
import type { Resolution } from '../../../../src/workers/ecosystems/ecosystem.ts';
import { npm } from '../../../../src/workers/ecosystems/npm/index.ts';
import { DEFAULT_REGISTRY } from '../../../../src/workers/javascript-packages/registries.ts';
import {
  type ConsumedForm,
  layOutBundle,
  nodeModules,
  serveResolution,
} from '../../../support/laid-out-bundle.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { closedProxies, withoutNetwork } from '../../../support/network.ts';
import { type NpmRegistry, startNpmRegistry } from '../../../support/npm-registry.ts';
import { RegistryServer, selfSigned } from '../../../support/registry-server.ts';
import {
  resolveContext,
  type TestResolveContext,
  temporaryDirectory,
} from '../../../support/resolve-context.ts';

const run = promisify(execFile);
const COMMIT = 'ab'.repeat(20);
const PUBLIC = DEFAULT_REGISTRY;
/** What npm does not replace by the registry that it is told to use. */
const ALIAS = 'https://registry.yarnpkg.com/';

let registry: NpmRegistry;
let files: NpmRegistry;

beforeAll(async () => {
  registry = await startNpmRegistry([
    { name: 'left', version: '1.0.0', files: { 'index.js': 'module.exports = "left 1.0.0"\n' } },
    { name: 'left', version: '0.9.0', files: { 'index.js': 'module.exports = "left 0.9.0"\n' } },
    {
      name: '@scope/tool',
      version: '2.0.0',
      manifest: { dependencies: { left: '^1.0.0' }, bin: { tool: 'cli.js' } },
      files: { 'cli.js': '#!/usr/bin/env node\nconsole.log(require("left"))\n' },
    },
    { name: 'old-user', version: '1.0.0', manifest: { dependencies: { left: '^0.9.0' } } },
    {
      name: 'bundler',
      version: '1.0.0',
      manifest: { dependencies: { inner: '^1.0.0' }, bundleDependencies: ['inner'] },
      files: { 'node_modules/inner/package.json': '{"name":"inner","version":"1.0.0"}\n' },
    },
    { name: 'aix-only', version: '1.0.0', manifest: { os: ['aix'] } },
    { name: 'dev-tool', version: '3.0.0', manifest: { peerDependencies: { left: '^1.0.0' } } },
  ]);
  files = await startNpmRegistry([
    { name: 'url-dep', version: '1.5.0', manifest: { dependencies: { left: '^1.0.0' } } },
  ]);
});

afterAll(async () => {
  await registry.close();
  await files.close();
});

interface Installation extends ConsumedForm {
  directory: string;
  /** The program and the options that keep npm from the network. */
  command: (...options: string[]) => [string, string[]];
  environment?: Record<string, string>;
}

async function install(prepared: TestResolveContext, resolution: Resolution, how: Installation) {
  const { directory, command, environment = {} } = how;
  const root = await layOutBundle(prepared, resolution, how);
  const cwd = join(root, 'app', directory);
  const [program, args] = command('ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=warn');
  const home = temporaryDirectory();
  const output = await run(program, args, {
    cwd,
    env: {
      PATH: process.env.PATH,
      HOME: home,
      npm_config_cache: join(home, 'cache'),
      npm_config_userconfig: join(home, 'npmrc'),
      npm_config_globalconfig: join(home, 'global-npmrc'),
      npm_config_update_notifier: 'false',
      ...environment,
    },
  });
  return { cwd, output, ...nodeModules(cwd) };
}

const gitTree: SourceTree = memorySourceTree({
  'package.json': JSON.stringify({ name: 'git-dep', version: '4.0.0', dependencies: { left: '^1.0.0' } }),
  'index.js': 'module.exports = "from git"\n',
  '.npmignore': 'secret.txt\n',
  'secret.txt': 'not packed',
});

const GIT_V1 = `git+ssh://git@git.example/ns/git-dep.git#${COMMIT}`;
const REQUIREMENTS = {
  left: '^1.0.0',
  'my-left': 'npm:left@0.9.0',
  '@scope/tool': '^2.0.0',
  'old-user': '^1.0.0',
  bundler: '^1.0.0',
  'git-dep': GIT_V1,
};

const manifest = () => ({
  name: 'application',
  version: '1.2.3',
  dependencies: { ...REQUIREMENTS, 'url-dep': `${files.url}url-dep/-/url-dep-1.5.0.tgz` },
  devDependencies: { 'dev-tool': '^3.0.0' },
  optionalDependencies: { 'aix-only': '^1.0.0' },
});

const registryItem = (name: string, version: string, resolved = true) => ({
  version,
  ...(resolved ? { resolved: `${PUBLIC}${registry.find(name, version).path}` } : {}),
  integrity: registry.find(name, version).integrity,
});

const urlDependency = () => files.find('url-dep');

function packagesMap(workspaces: boolean) {
  const { name, version, ...requirements } = manifest();
  return {
    '': { name, version, ...requirements, ...(workspaces ? { workspaces: ['packages/*'] } : {}) },
    'node_modules/left': registryItem('left', '1.0.0', false),
    'node_modules/my-left': { name: 'left', ...registryItem('left', '0.9.0') },
    'node_modules/@scope/tool': {
      ...registryItem('@scope/tool', '2.0.0'),
      dependencies: { left: '^1.0.0' },
      bin: { tool: 'cli.js' },
    },
    'node_modules/old-user': { ...registryItem('old-user', '1.0.0'), dependencies: { left: '^0.9.0' } },
    'node_modules/old-user/node_modules/left': registryItem('left', '0.9.0'),
    'node_modules/bundler': {
      ...registryItem('bundler', '1.0.0'),
      bundleDependencies: ['inner'],
      dependencies: { inner: '^1.0.0' },
    },
    'node_modules/bundler/node_modules/inner': { version: '1.0.0', inBundle: true },
    'node_modules/aix-only': { ...registryItem('aix-only', '1.0.0'), optional: true, os: ['aix'] },
    'node_modules/dev-tool': {
      ...registryItem('dev-tool', '3.0.0'),
      resolved: `${ALIAS}${registry.find('dev-tool').path}`,
      dev: true,
      peerDependencies: { left: '^1.0.0' },
    },
    'node_modules/git-dep': { version: '4.0.0', resolved: GIT_V1, dependencies: { left: '^1.0.0' } },
    'node_modules/url-dep': {
      version: '1.5.0',
      resolved: `${files.url}${urlDependency().path}`,
      integrity: urlDependency().integrity,
      dependencies: { left: '^1.0.0' },
    },
    ...(workspaces
      ? {
          'node_modules/client': { resolved: 'packages/client', link: true },
          'packages/client': {
            version: '0.1.0',
            dependencies: { left: '^0.9.0', 'git-dep': GIT_V1 },
          },
          'packages/client/node_modules/left': registryItem('left', '0.9.0'),
        }
      : {}),
  };
}

function dependenciesTree(workspaces: boolean) {
  return {
    left: registryItem('left', '1.0.0', false),
    'my-left': { ...registryItem('left', '0.9.0'), version: 'npm:left@0.9.0' },
    '@scope/tool': { ...registryItem('@scope/tool', '2.0.0'), requires: { left: '^1.0.0' } },
    'old-user': {
      ...registryItem('old-user', '1.0.0'),
      requires: { left: '^0.9.0' },
      dependencies: { left: registryItem('left', '0.9.0') },
    },
    bundler: {
      ...registryItem('bundler', '1.0.0'),
      requires: { inner: '^1.0.0' },
      dependencies: { inner: { version: '1.0.0', bundled: true } },
    },
    'aix-only': { ...registryItem('aix-only', '1.0.0'), optional: true },
    'dev-tool': { ...registryItem('dev-tool', '3.0.0'), dev: true },
    'git-dep': { version: GIT_V1, from: GIT_V1, requires: { left: '^1.0.0' } },
    'url-dep': {
      version: `${files.url}${urlDependency().path}`,
      integrity: urlDependency().integrity,
      requires: { left: '^1.0.0' },
    },
    ...(workspaces
      ? {
          client: {
            version: 'file:packages/client',
            requires: { left: '^0.9.0', 'git-dep': GIT_V1 },
            dependencies: { left: registryItem('left', '0.9.0') },
          },
        }
      : {}),
  };
}

function project(lockfileVersion: 1 | 2 | 3, directory = '.') {
  const workspaces = lockfileVersion > 1;
  const at = (name: string) => join(directory, name);
  const lock = {
    name: 'application',
    version: '1.2.3',
    lockfileVersion,
    requires: true,
    ...(lockfileVersion > 1 ? { packages: packagesMap(workspaces) } : {}),
    ...(lockfileVersion < 3 ? { dependencies: dependenciesTree(workspaces) } : {}),
  };
  return memorySourceTree({
    [at('package.json')]: JSON.stringify({
      ...manifest(),
      ...(workspaces ? { workspaces: ['packages/*'] } : {}),
    }),
    [at('package-lock.json')]: JSON.stringify(lock),
    ...(workspaces
      ? {
          [at('packages/client/package.json')]: JSON.stringify({
            name: 'client',
            version: '0.1.0',
            dependencies: { left: '^0.9.0', 'git-dep': GIT_V1 },
          }),
        }
      : {}),
  });
}

const LOCKS = [
  [3, '.'],
  [2, '.'],
  [1, '.'],
  [3, 'web/client'],
  [1, 'web/client'],
] as const;

async function resolveProject(version: 1 | 2 | 3, directory: string, settings: Partial<Settings> = {}) {
  const prepared = resolveContext({
    source: project(version, directory),
    packages: [{ path: directory }],
    settings: { npmRegistry: registry.url.slice(0, -1), ...settings },
    trees: { [`ssh://git@git.example/ns/git-dep.git#${COMMIT}`]: gitTree },
  });
  return { prepared, resolution: await npm.resolve(prepared.context) };
}

async function expectInstalled({ installed, has, output, cwd }: Awaited<ReturnType<typeof install>>) {
  expect(output.stderr).not.toContain('npm error');
  expect(installed('left').version).toBe('1.0.0');
  expect(installed('my-left').version).toBe('0.9.0');
  expect(installed('@scope/tool').version).toBe('2.0.0');
  expect(installed('old-user/node_modules/left').version).toBe('0.9.0');
  expect(installed('bundler/node_modules/inner').version).toBe('1.0.0');
  expect(installed('dev-tool').version).toBe('3.0.0');
  expect(installed('git-dep').version).toBe(`4.0.0-external-gitcommit-${COMMIT}`);
  expect(installed('url-dep').version).toBe(`1.5.0-external-sha512-${urlDependency().sha512}`);
  expect(has('git-dep/index.js')).toBe(true);
  expect(has('git-dep/secret.txt')).toBe(false);
  expect(has('aix-only')).toBe(false);
  expect((await run(join(cwd, 'node_modules/.bin/tool'), [])).stdout).toBe('left 1.0.0\n');
}

describe('npm ci --offline', () => {
  test.for(LOCKS)('lockfileVersion %i in %s', { timeout: 60_000 }, async ([version, directory]) => {
    const { prepared, resolution } = await resolveProject(version, directory);
    const command = (...options: string[]) => withoutNetwork('npm', ...options, '--offline');
    const result = await install(prepared, resolution, { form: 'offline', directory, command });
    await expectInstalled(result);
    if (version > 1) expect(result.installed('client/node_modules/left').version).toBe('0.9.0');
  });
});

describe('npm ci at the registry of the request', () => {
  let server: RegistryServer;
  beforeAll(async () => {
    server = await RegistryServer.start();
  });
  afterAll(() => server.close());

  test.for(LOCKS)('lockfileVersion %i in %s', { timeout: 60_000 }, async ([version, directory]) => {
    const { prepared, resolution } = await resolveProject(version, directory);
    const { id, fill } = await serveResolution(server, prepared, resolution);
    const asked = () =>
      [...registry.hits.values(), ...files.hits.values()].reduce((sum, hits) => sum + hits, 0);
    const before = asked();
    const result = await install(prepared, resolution, {
      form: 'registry',
      directory,
      command: (...options) => ['npm', options],
      environment: await closedProxies(),
      fill,
    });
    await expectInstalled(result);
    if (version > 1) expect(result.installed('client/node_modules/left').version).toBe('0.9.0');
    expect(asked()).toBe(before);

    await server.changeState(id, 'stale');
    const late = install(prepared, resolution, {
      form: 'registry',
      directory,
      command: (...options) => ['npm', [...options, '--fetch-retries=0']],
      environment: await closedProxies(),
      fill,
    });
    await expect(late).rejects.toThrow('E401');
  });

  test('with the authority that signed our certificate', { timeout: 60_000 }, async () => {
    const tls = selfSigned(temporaryDirectory());
    const secured = await RegistryServer.start(tls);
    try {
      const settings = { registryCaFile: tls.certificate };
      const { prepared, resolution } = await resolveProject(3, 'web/client', settings);
      const result = await install(prepared, resolution, {
        form: 'registry',
        directory: 'web/client',
        command: (...options) => ['npm', options],
        environment: await closedProxies(),
        fill: (await serveResolution(secured, prepared, resolution)).fill,
      });
      await expectInstalled(result);
    } finally {
      await secured.close();
    }
  });
});
