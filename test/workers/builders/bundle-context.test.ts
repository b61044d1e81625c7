import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BundleRequest } from '../../../src/domain/bundle-requests/bundle-request.ts';
import {
  type BundleContext,
  prepareBundleContext,
  relocated,
  stepEnvironment,
} from '../../../src/workers/builders/bundle-context.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { type HermeticProjects, startHermeticProjects } from '../../support/hermetic-projects.ts';
import { startWorkerStack, type WorkerStack } from '../../support/worker-stack.ts';

const directory = mkdtempSync(join(tmpdir(), 'stowage-context-'));
/** Of the fixture's commits. */
const SOURCE_DATE_EPOCH = String(Date.parse('2024-05-06T07:08:09Z') / 1000);
const signal = new AbortController().signal;

let projects: HermeticProjects;
let stack: WorkerStack;

beforeAll(async () => {
  projects = await startHermeticProjects();
  stack = await startWorkerStack(projects.environment);
});

afterAll(async () => {
  await stack.close();
  await projects.close();
  rmSync(directory, { recursive: true, force: true });
});

async function bundleOf(
  files: Record<string, string>,
  submission: { packageManagers?: [] } = {},
): Promise<BundleRequest> {
  const repository = new TestRepository(files);
  const request = await stack.run({
    repository: `file://${repository.path}`,
    ref: repository.head,
    ...submission,
  });
  expect(request.error).toBeNull();
  return request;
}

async function prepare(name: string, request: BundleRequest): Promise<BundleContext> {
  const { database, blobs } = stack;
  return await prepareBundleContext({ sql: database.sql, blobs }, request, join(directory, name), signal);
}

const filesIn = (root: string): string[] =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();

describe('an npm application', () => {
  let context: BundleContext;
  beforeAll(async () => {
    context = await prepare('npm', await bundleOf(projects.npm.files));
  });

  test('the context is its source, with a lock file that names the mount', () => {
    expect(filesIn(context.contextDirectory)).toEqual(['.npmrc', ...Object.keys(projects.npm.files).sort()]);
    const lock = JSON.parse(readFileSync(join(context.contextDirectory, 'package-lock.json'), 'utf8'));
    expect(lock.packages['node_modules/left'].resolved).toBe(
      'file:/stowage/bundle/deps/npm/left/left-1.2.3.tgz',
    );
  });

  test('the mount is the rest of the bundle, at a fixed path', () => {
    const [mount, cache] = context.mounts;
    expect(cache).toMatchObject({ path: '/stowage/cache', isWritable: true });
    expect(filesIn(cache!.directory)).toEqual([]);
    expect(mount!.path).toBe('/stowage/bundle');
    expect(filesIn(mount!.directory)).toEqual([
      'config/app/.npmrc',
      'config/app/package-lock.json',
      'deps/npm/@scope/right/scope-right-2.0.0.tgz',
      'deps/npm/left/left-1.2.3.tgz',
      'stowage.env',
    ]);
    expect(statSync(join(mount!.directory, 'deps')).mode & 0o777).toBe(0o755);
  });

  test('steps know where it is, and npm that there is no network', () => {
    expect(context.stepEnvironment).toMatchObject({
      STOWAGE_BUNDLE: '/stowage/bundle',
      CYPRESS_INSTALL_BINARY: '0',
      npm_config_offline: 'true',
      npm_config_audit: 'false',
    });
    expect(context.warnings).toEqual([]);
  });

  test('everything in the image has the time of the commit', () => {
    expect(new Date(context.sourceDateEpoch * 1000).toISOString()).toBe('2024-05-06T07:08:09.000Z');
  });
});

test('a Python application finds its archives at the mount', async () => {
  const { stepEnvironment: variables } = await prepare('pip', await bundleOf(projects.pip.files));
  expect(variables).toEqual({
    STOWAGE_BUNDLE: '/stowage/bundle',
    STOWAGE_DEPS: '/stowage/bundle/deps',
    PIP_FIND_LINKS: '/stowage/bundle/deps/pip',
    PIP_NO_INDEX: 'true',
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    PIP_CACHE_DIR: '/stowage/cache/pip',
    SOURCE_DATE_EPOCH,
  });
});

test('go takes modules from the mount, and keeps caches that it can write to', async () => {
  const context = await prepare('gomod', await bundleOf(projects.gomod.files));
  expect(context.stepEnvironment).toEqual({
    STOWAGE_BUNDLE: '/stowage/bundle',
    GOMODCACHE: '/stowage/cache/go-modules',
    GOCACHE: '/stowage/cache/go-build',
    GOPROXY: 'file:///stowage/bundle/deps/gomod/pkg/mod/cache/download',
    GOSUMDB: 'off',
    GOTOOLCHAIN: 'local',
    SOURCE_DATE_EPOCH,
  });
  const modules = 'deps/gomod/pkg/mod/cache/download/modules.example/greet/@v/';
  const shipped = filesIn(context.mounts[0]!.directory).filter((path) => path.startsWith(modules));
  expect(shipped.map((path) => path.slice(modules.length))).toEqual([
    ...['list', 'v1.1.0.info', 'v1.1.0.mod', 'v1.1.0.zip', 'v1.1.0.ziphash'],
  ]);
});

test('a request without a bundle cannot be built from', async () => {
  const request = await bundleOf({ Dockerfile: 'FROM scratch\n' }, { packageManagers: [] });
  const stale = { ...request, state: 'stale' as const, bundleDigest: null };
  await expect(prepare('stale', stale)).rejects.toMatchObject({
    code: 'invalid-input',
    message: `Request ${request.id} has no bundle to build from: it is stale`,
  });
});

test('an interruption ends it', async () => {
  const request = await bundleOf({ Dockerfile: 'FROM scratch\n' }, { packageManagers: [] });
  const { database, blobs } = stack;
  const interrupted = AbortSignal.abort(new Error('no more'));
  const prepared = prepareBundleContext(
    { sql: database.sql, blobs },
    request,
    join(directory, 'interrupted'),
    interrupted,
  );
  await expect(prepared).rejects.toThrow();
});

test.each([
  [
    'app/package-lock.json',
    '{"resolved": "file:../deps/npm/a.tgz"}',
    '{"resolved": "file:/stowage/bundle/deps/npm/a.tgz"}',
  ],
  [
    'app/web/yarn.lock',
    'resolved "file:../../deps/yarn/a.tgz"',
    'resolved "file:/stowage/bundle/deps/yarn/a.tgz"',
  ],
  [
    'app/.bundle/config',
    'BUNDLE_CACHE_PATH: "../deps/rubygems-cache"\nBUNDLE_LOCAL__A: "../deps/rubygems/a"\n',
    'BUNDLE_CACHE_PATH: "/stowage/bundle/deps/rubygems-cache"\nBUNDLE_LOCAL__A: "/stowage/bundle/deps/rubygems/a"\n',
  ],
  [
    'app/web/package-lock.json',
    '{"resolved": "file:../lib", "b": "x../../deps/"}',
    '{"resolved": "file:../lib", "b": "x../../deps/"}',
  ],
])('paths of %s', (path, text, expected) => {
  expect(relocated(path, Buffer.from(text)).toString()).toBe(expected);
});

test('what lies in the source is nowhere in an image', () => {
  const path = (name: string, value: string) => ({ name, value, kind: 'path' as const });
  const { variables, unusable } = stepEnvironment(
    [path('GOWORK', 'app/go.work'), path('PIP_CERT', 'app/ca.pem'), path('GOPATH', 'deps/gomod')],
    ['gomod', 'pip'],
  );
  expect(Object.keys(variables).sort()).toEqual([
    'GOCACHE',
    'GOMODCACHE',
    'GOPROXY',
    'PIP_CACHE_DIR',
    'PIP_DISABLE_PIP_VERSION_CHECK',
    'STOWAGE_BUNDLE',
  ]);
  expect(unusable).toEqual([path('PIP_CERT', 'app/ca.pem')]);
});
