import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SourceTree } from '../../../../src/domain/sources/source-tree.ts';
import type { Resolution } from '../../../../src/workers/ecosystems/ecosystem.ts';
import { yarn } from '../../../../src/workers/ecosystems/yarn/index.ts';
import { formatLockText, parseLockText } from '../../../../src/workers/ecosystems/yarn/lock-text.ts';
import { layOutBundle, nodeModules, serveResolution, writeBelow } from '../../../support/laid-out-bundle.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { withoutNetwork } from '../../../support/network.ts';
import { type NpmRegistry, startNpmRegistry } from '../../../support/npm-registry.ts';
import { RegistryServer } from '../../../support/registry-server.ts';
import {
  resolveContext,
  type TestResolveContext,
  temporaryDirectory,
} from '../../../support/resolve-context.ts';

const run = promisify(execFile);
const COMMIT = 'ab'.repeat(20);
const YARN = fileURLToPath(import.meta.resolve('yarn/bin/yarn.js'));
/** How yarn names the registry in its lock files. */
const PUBLIC = 'https://registry.yarnpkg.com/';
const GIT = `git+ssh://git@git.example/ns/git-dep.git#${COMMIT}`;

let registry: NpmRegistry;
let files: NpmRegistry;
let gateway: RegistryServer;

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
    { name: 'wrapper', version: '1.0.0', manifest: { dependencies: { wrapped: '^1.0.0' } } },
    { name: 'wrapped', version: '1.0.0' },
    { name: 'truely', version: '1.0.0' },
    { name: 'version', version: '1.0.0', manifest: { optionalDependencies: { truely: '*' } } },
    { name: 'aix-only', version: '1.0.0', manifest: { os: ['aix'] } },
    { name: 'dev-tool', version: '3.0.0', manifest: { peerDependencies: { left: '^1.0.0' } } },
  ]);
  files = await startNpmRegistry([
    { name: 'url-dep', version: '1.5.0', manifest: { dependencies: { left: '^1.0.0' } } },
    { name: 'sha1-dep', version: '1.6.0' },
    { name: 'wrapped', version: '1.7.0' },
  ]);
  gateway = await RegistryServer.start();
});

afterAll(async () => {
  await registry.close();
  await files.close();
  await gateway.close();
});

const OPTIONS = ['install', '--frozen-lockfile', '--ignore-scripts', '--non-interactive'];

async function installOffline(prepared: TestResolveContext, resolution: Resolution, directory: string) {
  const root = await layOutBundle(prepared, resolution);
  return install(
    join(root, 'app', directory),
    withoutNetwork(process.execPath, YARN, ...OPTIONS, '--offline'),
  );
}

/** From the per-request registry, with nothing of the bundle but the source. */
async function installFromRegistry(prepared: TestResolveContext, resolution: Resolution, directory: string) {
  const { fill } = await serveResolution(gateway, prepared, resolution);
  const root = await layOutBundle(prepared, resolution, { form: 'registry', fill });
  return install(join(root, 'app', directory), [process.execPath, [YARN, ...OPTIONS]]);
}

async function install(cwd: string, [program, args]: [program: string, args: string[]]) {
  const lock = readFileSync(join(cwd, 'yarn.lock'), 'utf8');
  const output = await run(program, args, { cwd, env: ownHome() });
  expect(readFileSync(join(cwd, 'yarn.lock'), 'utf8')).toBe(lock);
  return { cwd, output, ...nodeModules(cwd) };
}

function ownHome(): NodeJS.ProcessEnv {
  const home = temporaryDirectory();
  return { PATH: process.env.PATH, HOME: home, YARN_CACHE_FOLDER: join(home, 'cache') };
}

const gitTree: SourceTree = memorySourceTree({
  'package.json': JSON.stringify({ name: 'git-dep', version: '4.0.0', dependencies: { left: '^1.0.0' } }),
  'index.js': 'module.exports = "from git"\n',
  '.npmignore': 'secret.txt\n',
  'secret.txt': 'not packed',
});

const urlOf = (name: string) => `${files.url}${files.find(name).path}`;

function block(keys: string[], name: string, version: string, more = ''): string {
  const { path, sha1, integrity } = registry.find(name, version);
  const patterns = keys.map((key) => JSON.stringify(key)).join(', ');
  return `${patterns}:\n  version "${version}"\n  resolved "${PUBLIC}${path}#${sha1}"\n  integrity ${integrity}\n${more}`;
}

const lockFile = (workspaces: boolean) =>
  [
    '# THIS IS AN AUTOGENERATED FILE. DO NOT EDIT THIS FILE DIRECTLY.\n# yarn lockfile v1\n\n',
    block(['@scope/tool@^2.0.0'], '@scope/tool', '2.0.0', '  dependencies:\n    left "^1.0.0"\n'),
    block(['aix-only@^1.0.0'], 'aix-only', '1.0.0'),
    block(['dev-tool@^3.0.0'], 'dev-tool', '3.0.0'),
    `"git-dep@${GIT}":\n  version "4.0.0"\n  resolved "${GIT}"\n  dependencies:\n    left "^1.0.0"\n`,
    block(['left@^1.0.0'], 'left', '1.0.0'),
    block([...(workspaces ? ['left@0.9.0'] : []), 'left@^0.9.0'], 'left', '0.9.0'),
    block(['my-left@npm:left@0.9.0'], 'left', '0.9.0'),
    block(['old-user@^1.0.0'], 'old-user', '1.0.0', '  dependencies:\n    left "^0.9.0"\n'),
    `"sha1-dep@${urlOf('sha1-dep')}":\n  version "1.6.0"\n  resolved "${urlOf('sha1-dep')}#${files.find('sha1-dep').sha1}"\n`,
    `"url-dep@${urlOf('url-dep')}":\n  version "1.5.0"\n  resolved "${urlOf('url-dep')}#${files.find('url-dep').sha1}"\n  integrity ${files.find('url-dep').integrity}\n  dependencies:\n    left "^1.0.0"\n`,
  ].join('\n');

function project(workspaces: boolean, directory = '.') {
  const at = (name: string) => join(directory, name);
  return memorySourceTree({
    [at('package.json')]: JSON.stringify({
      name: 'application',
      version: '1.2.3',
      private: true,
      dependencies: {
        left: '^1.0.0',
        'my-left': 'npm:left@0.9.0',
        '@scope/tool': '^2.0.0',
        'old-user': '^1.0.0',
        'git-dep': GIT,
        'url-dep': urlOf('url-dep'),
        'sha1-dep': urlOf('sha1-dep'),
      },
      devDependencies: { 'dev-tool': '^3.0.0' },
      optionalDependencies: { 'aix-only': '^1.0.0' },
      ...(workspaces ? { workspaces: { packages: ['packages/*'], nohoist: ['**/left'] } } : {}),
    }),
    [at('yarn.lock')]: lockFile(workspaces),
    [at('.npmrc')]: 'registry=https://registry.invalid/\n',
    [at('.yarnrc')]: 'yarn-path "./evil.js"\n',
    [at('evil.js')]: 'process.exit(9)\n',
    ...(workspaces
      ? {
          [at('packages/client/package.json')]: JSON.stringify({
            name: 'client',
            version: '0.1.0',
            dependencies: { left: '0.9.0', 'git-dep': GIT },
          }),
          [at('packages/server/package.json')]: JSON.stringify({
            name: 'server',
            version: '0.1.0',
            dependencies: { client: '^0.1.0' },
          }),
        }
      : {}),
  });
}

describe('yarn install --frozen-lockfile', () => {
  test.for([
    ['offline', false, '.'],
    ['offline', true, '.'],
    ['offline', false, 'web/client'],
    ['offline', true, 'web/client'],
    ['registry', false, '.'],
    ['registry', true, 'web/client'],
  ] as const)('%s, workspaces: %s, in %s', { timeout: 60_000 }, async ([form, workspaces, directory]) => {
    const prepared = resolveContext({
      source: project(workspaces, directory),
      packages: [{ path: directory }],
      settings: { npmRegistry: registry.url.slice(0, -1) },
      trees: { [`ssh://git@git.example/ns/git-dep.git#${COMMIT}`]: gitTree },
    });
    const resolution = await yarn.resolve(prepared.context);
    const { installed, has, output, cwd } = await (form === 'offline' ? installOffline : installFromRegistry)(
      prepared,
      resolution,
      directory,
    );

    expect(output.stderr).not.toContain('error');
    expect(installed('left').version).toBe('1.0.0');
    expect(installed('my-left').version).toBe('0.9.0');
    expect(installed('@scope/tool').version).toBe('2.0.0');
    expect(installed('old-user/node_modules/left').version).toBe('0.9.0');
    expect(installed('dev-tool').version).toBe('3.0.0');
    expect(installed('git-dep').version).toBe(`4.0.0-external-gitcommit-${COMMIT}`);
    expect(installed('url-dep').version).toBe(`1.5.0-external-sha512-${files.find('url-dep').sha512}`);
    expect(installed('sha1-dep').version).toBe(`1.6.0-external-sha1-${files.find('sha1-dep').sha1}`);
    expect(has('git-dep/index.js')).toBe(true);
    expect(has('git-dep/secret.txt')).toBe(false);
    expect(has('aix-only')).toBe(false);
    expect((await run(join(cwd, 'node_modules/.bin/tool'), [])).stdout).toBe('left 1.0.0\n');
    if (workspaces) expect(installed('client').version).toBe('0.1.0');
  });
});

describe('lock files that yarn has just made', () => {
  const MANIFESTS = {
    'package.json': {
      name: 'application',
      version: '1.2.3',
      private: true,
      workspaces: ['packages/*'],
      dependencies: { left: '>= 1.0.0 < 2', 'my-left': 'npm:left@0.9.0', 'old-user': '^1.0.0', wrapper: '1' },
      devDependencies: { version: 'latest', 'dev-tool': '' },
      optionalDependencies: { 'aix-only': '~1.0' },
    },
    'packages/client/package.json': {
      name: '@me/client',
      version: '0.1.0',
      dependencies: { left: '0.9.x', '@scope/tool': '*', version: '1.x || 2.x' },
    },
  };

  /** With the registry's own URL; the lock files of the world name the public one. */
  async function lock(manifests: Record<string, object>) {
    const root = temporaryDirectory();
    const texts = Object.fromEntries(
      Object.entries(manifests).map(([path, manifest]) => [path, JSON.stringify(manifest)]),
    );
    for (const [path, text] of Object.entries(texts)) writeBelow(root, path, text);
    writeBelow(root, '.npmrc', `registry=${registry.url}\n`);
    writeBelow(root, '.yarnrc', `registry "${registry.url}"\n`);
    const args = [YARN, 'install', '--ignore-scripts', '--non-interactive'];
    await run(process.execPath, args, { cwd: root, env: ownHome() });
    return { texts, text: readFileSync(join(root, 'yarn.lock'), 'utf8') };
  }

  test.for<[string, Record<string, unknown>]>([
    ['workspaces, aliases, odd names', {}],
    [
      'resolutions',
      { resolutions: { 'old-user/left': '1.0.0', '**/wrapped': () => urlOf('wrapped'), version: '1.0.0' } },
    ],
  ])('%s', { timeout: 60_000 }, async ([, more]) => {
    const own = JSON.parse(
      JSON.stringify({ ...MANIFESTS['package.json'], ...more }, (_, value) =>
        typeof value === 'function' ? value() : value,
      ),
    ) as object;
    const { text, texts } = await lock({ ...MANIFESTS, 'package.json': own });
    expect(formatLockText(parseLockText('yarn.lock', Buffer.from(text), 100))).toBe(text);

    const prepared = resolveContext({
      source: memorySourceTree({ ...texts, 'yarn.lock': text.replaceAll(registry.url, PUBLIC) }),
      settings: { npmRegistry: registry.url.slice(0, -1) },
    });
    const resolution = await yarn.resolve(prepared.context);
    const { installed } = await installOffline(prepared, resolution, '.');
    expect(installed('my-left').version).toBe('0.9.0');
    expect(installed('version').version).toBe('1.0.0');
    if ('resolutions' in more) {
      expect(installed('wrapped').version).toBe(`1.7.0-external-sha1-${files.find('wrapped').sha1}`);
      expect(installed('left').version).toBe('1.0.0');
    }
    const dev = resolution.packages[0]!.dependencies.filter((one) => one.dev).map(({ name }) => name);
    expect(dev).toEqual(['dev-tool']);
  });
});
