import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { DEFAULT_REGISTRY } from '../../src/workers/javascript-packages/registries.ts';
import { CachitoClient } from '../support/cachito-client.ts';
import { TestGateway } from '../support/gateway.ts';
import { TestRepository } from '../support/git-repository.ts';
import { type GoProxy, manyModules, projectOf, startGoProxy } from '../support/go-proxy.ts';
import { withoutNetwork } from '../support/network.ts';
import {
  lockFileOf,
  manyPackages,
  type NpmRegistry,
  startNpmRegistry,
  yarnLockOf,
} from '../support/npm-registry.ts';
import { makeSdist, type PythonIndex, requirementsOf, startPythonIndex } from '../support/python-index.ts';

const run = promisify(execFile);
const SCRIPT = join(import.meta.dirname, '../clients/cachito-download.sh');

/** Loopback apart, everything goes to a port where nobody listens; no tool waits long for it. */
const NOWHERE = 'http://127.0.0.1:9';
const BUILD_ENVIRONMENT = {
  HTTP_PROXY: NOWHERE,
  HTTPS_PROXY: NOWHERE,
  http_proxy: NOWHERE,
  https_proxy: NOWHERE,
  NO_PROXY: '127.0.0.1',
  no_proxy: '127.0.0.1',
  npm_config_fetch_retries: '0',
  npm_config_update_notifier: 'false',
  PIP_RETRIES: '0',
  PIP_DISABLE_PIP_VERSION_CHECK: '1',
};

type Manager = 'npm' | 'pip' | 'gomod' | 'yarn';
type Form = 'registry' | 'offline';

/** Issue 4: the download script gets a tree that builds, with nothing of the upstreams left. */
describe('cachito-download.sh', { timeout: 60_000 }, () => {
  let gateway: TestGateway;
  let client: CachitoClient;
  let npm: NpmRegistry;
  let pypi: PythonIndex;
  let goProxy: GoProxy;
  let directory: string;
  const requests = new Map<Manager, number>();

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'stowage-clients-'));
    npm = await startNpmRegistry(manyPackages(6));
    pypi = await startPythonIndex([makeSdist('plain', '1.0'), makeSdist('second', '2.1')]);
    goProxy = await startGoProxy(manyModules(3));
    gateway = await TestGateway.start({
      worker: true,
      environment: {
        STOWAGE_NPM_REGISTRY: npm.url,
        STOWAGE_PYPI_INDEX: pypi.url,
        STOWAGE_GOPROXY: goProxy.url,
        STOWAGE_GOSUMDB: 'off',
        STOWAGE_ENVIRONMENT_VARIABLES: '{"gomod": {"CGO_ENABLED": {"value": "0", "kind": "literal"}}}',
      },
    });
    client = new CachitoClient(gateway.url, gateway.headers('ada'));
    for (const [manager, files] of Object.entries(projects()) as [Manager, Record<string, string>][]) {
      const repository = new TestRepository(files);
      const body = { repo: repository.path, ref: repository.head, pkg_managers: [manager] };
      requests.set(manager, await client.submit(body));
    }
    for (const id of requests.values()) {
      const { state, state_reason } = await client.untilFinal(id);
      expect(`${state}: ${state_reason}`).toBe('complete: Completed successfully');
    }
    // From here on there is only Stowage.
    await Promise.all([npm.close(), pypi.close(), goProxy.close()]);
  }, 60_000);
  afterAll(async () => {
    await gateway.close();
    await rm(directory, { recursive: true, force: true });
  });

  function projects(): Record<Manager, Record<string, string>> {
    const dependencies = Object.fromEntries(npm.packages.map(({ name, version }) => [name, version]));
    const manifest = JSON.stringify({ name: 'fixture-application', version: '1.0.0', dependencies });
    return {
      npm: { 'package.json': manifest, 'package-lock.json': lockFileOf(npm, null) },
      yarn: { 'package.json': manifest, 'yarn.lock': yarnLockOf(npm, DEFAULT_REGISTRY) },
      pip: {
        'setup.cfg': '[metadata]\nname = project\nversion = 1.0\n',
        'requirements.txt': requirementsOf(pypi.files),
      },
      gomod: projectOf(goProxy.modules),
    };
  }

  /** What the script makes. */
  async function download(manager: Manager, form: Form): Promise<string> {
    const target = join(directory, `${manager}-${form}`);
    await run(SCRIPT, [client.requestUrl(requests.get(manager)!), target, form]);
    return join(target, 'remote-source');
  }

  /** Runs a build as users do: cachito.env is sourced, then the command runs in app/. */
  async function build(root: string, form: Form, command: string): Promise<string> {
    const home = await mkdtemp(join(directory, 'home-'));
    const shell = ['sh', '-c', `. "${root}/cachito.env" && ${command}`] as const;
    const [program, args] = form === 'offline' ? withoutNetwork(...shell) : [shell[0], shell.slice(1)];
    const env = { PATH: process.env.PATH, HOME: home, ...BUILD_ENVIRONMENT };
    const { stdout, stderr } = await run(program, args, { cwd: join(root, 'app'), env });
    return stdout + stderr;
  }

  const versionsIn = async (root: string): Promise<string[]> =>
    Promise.all(
      npm.packages.map(async ({ name }) => {
        const file = join(root, 'app/node_modules', name, 'package.json');
        return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
      }),
    );

  test.each<Form>(['registry', 'offline'])('npm, %s form', async (form) => {
    const root = await download('npm', form);
    await build(root, form, 'npm ci --ignore-scripts --no-audit --no-fund');
    expect(await versionsIn(root)).toEqual(npm.packages.map(({ version }) => version));
  });

  test.each<[Form, string]>([
    ['registry', 'yarn install --frozen-lockfile --non-interactive'],
    ['offline', 'yarn install --frozen-lockfile --non-interactive --offline'],
  ])('yarn, %s form', async (form, command) => {
    const root = await download('yarn', form);
    await build(root, form, command);
    expect(await versionsIn(root)).toEqual(npm.packages.map(({ version }) => version));
  });

  test.each<Form>(['registry', 'offline'])('pip, %s form', async (form) => {
    const root = await download('pip', form);
    await build(root, form, 'python3 -m pip install --no-cache-dir --target installed -r requirements.txt');
    expect(existsSync(join(root, 'app/installed/plain.py'))).toBe(true);
    expect(existsSync(join(root, 'app/installed/second.py'))).toBe(true);
  });

  test.each<Form>(['registry', 'offline'])('gomod, %s form', async (form) => {
    const root = await download('gomod', form);
    const compiled = `GOCACHE=${inject('goBuildCache')}`;
    const output = await build(
      root,
      form,
      `GOFLAGS=-modcacherw ${compiled} go build -o program . && ./program`,
    );
    expect(output).toBe('m0 m1 m2\n');
  });

  test('configuration files are read-only and the environment is absolute', async () => {
    const root = await download('npm', 'offline');
    const lock = join(root, 'app/package-lock.json');
    expect(((await stat(lock)).mode & 0o777).toString(8)).toBe('444');
    expect(await readFile(lock, 'utf8')).toContain('file:../deps/npm/');
    const gomod = await download('gomod', 'offline');
    const lines = (await readFile(join(gomod, 'cachito.env'), 'utf8')).trim().split('\n');
    expect(lines).toContain(`export GOMODCACHE='${gomod}/deps/gomod/pkg/mod'`);
    expect(lines).toContain("export GOPROXY='off'");
    // The operator's own.
    expect(lines).toContain("export CGO_ENABLED='0'");
    for (const line of lines) expect(line).toMatch(/^export [A-Z_]+='[^']*'$/);
  });

  test('what cannot be used is told', async () => {
    const failing = (...args: string[]) =>
      run(SCRIPT, args).then(
        () => 'it went well',
        (error: { stderr: string }) => error.stderr,
      );
    expect(await failing('x')).toContain('usage: cachito-download.sh URL DIR');
    expect(await failing(client.requestUrl(999), join(directory, 'none'))).toContain(
      'The requested resource was not found',
    );
    const repository = new TestRepository({ 'README.md': 'no lock file\n' });
    const id = await client.submit({ repo: repository.path, ref: repository.head, pkg_managers: ['npm'] });
    const { state_reason } = await client.untilFinal(id);
    expect(await failing(client.requestUrl(id), join(directory, 'failed'))).toContain(
      `the request is failed: ${state_reason}`,
    );
  });
});
