import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changeState } from '../../../src/domain/bundle-requests/change-state.ts';
import { lockRequest } from '../../../src/domain/database/sql/bundle-request-rows.ts';
import { DEFAULT_REGISTRY } from '../../../src/workers/javascript-packages/registries.ts';
import { TestGateway } from '../../support/gateway.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { closedProxies } from '../../support/network.ts';
import { lockFileOf, manyPackages, type NpmRegistry, startNpmRegistry } from '../../support/npm-registry.ts';
import { makeSdist, type PythonIndex, startPythonIndex } from '../../support/python-index.ts';

const run = promisify(execFile);

/** cachito.md 4.4, 4.5: from a request to an install, over the API that clients of Cachito use. */
describe('A request with npm and pip', { timeout: 60_000 }, () => {
  let gateway: TestGateway;
  let registry: NpmRegistry;
  let index: PythonIndex;
  let repository: TestRepository;
  let directory: string;
  let id: number;

  beforeAll(async () => {
    registry = await startNpmRegistry(manyPackages(40));
    index = await startPythonIndex([makeSdist('plain', '1.0')]);
    repository = new TestRepository({
      'package.json': JSON.stringify({
        name: 'fixture-application',
        version: '1.0.0',
        dependencies: Object.fromEntries(registry.packages.map(({ name, version }) => [name, version])),
      }),
      'package-lock.json': lockFileOf(registry, DEFAULT_REGISTRY),
      'setup.cfg': '[metadata]\nname = application\nversion = 1.0\n',
      'requirements.txt': 'plain==1.0\n',
    });
    gateway = await TestGateway.start({
      worker: true,
      environment: { STOWAGE_NPM_REGISTRY: registry.url, STOWAGE_PYPI_INDEX: index.url },
    });
    directory = mkdtempSync(join(tmpdir(), 'stowage-setup-'));
    id = await submit([]);
  });
  afterAll(async () => {
    await gateway?.close();
    await registry?.close();
    await index?.close();
    rmSync(directory, { recursive: true, force: true });
    rmSync(repository.path, { recursive: true, force: true });
  });

  async function submit(flags: readonly string[]): Promise<number> {
    const response = await fetch(`${gateway.url}/api/v1/requests`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...gateway.headers('ada') },
      body: JSON.stringify({
        repo: `file://${repository.path}`,
        ref: repository.head,
        pkg_managers: ['npm', 'pip'],
        flags,
      }),
    });
    const request = (await response.json()) as { id: number };
    expect(await gateway.stack.untilFinal(request.id)).toMatchObject({ state: 'complete', error: null });
    return request.id;
  }

  // biome-ignore lint/suspicious/noExplicitAny: compared as a whole.
  const get = async (request: number, path: string): Promise<any> =>
    (await fetch(`${gateway.url}/api/v1/requests/${request}/${path}`)).json();
  const paths = async (request: number, query = '') =>
    (await get(request, `configuration-files${query}`)).map(({ path }: { path: string }) => path);

  test('gets addresses and credentials of its own registries', async () => {
    const [npmrc] = await get(id, 'configuration-files');
    const text = Buffer.from(npmrc.content, 'base64').toString();
    const password = Buffer.from(/:_auth=(.*)/.exec(text)![1]!, 'base64')
      .toString()
      .split(':')[1]!;
    expect(password).toMatch(/^[0-9a-f]{24,32}$/);
    const auth = Buffer.from(`cachito-npm-${id}:${password}`).toString('base64');
    const host = new URL(gateway.url).host;
    expect(npmrc.path).toBe('app/.npmrc');
    expect(text).toBe(
      `registry=${gateway.url}/packages/cachito-npm-${id}/
email=noreply@domain.local
always-auth=true
//${host}/packages/cachito-npm-${id}/:_auth=${auth}
fetch-retries=5
fetch-retry-factor=2
strict-ssl=true
`,
    );
    expect(await paths(id)).toEqual(['app/.npmrc']);
    expect((await get(id, 'environment-variables')).PIP_INDEX_URL).toEqual({
      kind: 'literal',
      value: `http://cachito-pip-${id}:${password}@${host}/packages/cachito-pip-hosted-${id}/simple`,
    });
  });

  test('gets the offline form on demand, or by a flag', async () => {
    const offline = ['app/.npmrc', 'app/package-lock.json'];
    expect(await paths(id, '?format=offline')).toEqual(offline);
    const variables = await get(id, 'environment-variables?format=offline');
    expect(variables).not.toHaveProperty('PIP_INDEX_URL');
    expect(variables.PIP_NO_INDEX).toEqual({ kind: 'literal', value: 'true' });

    const flagged = await submit(['offline-bundle']);
    expect(await paths(flagged)).toEqual(offline);
    expect(await paths(flagged, '?format=registry')).toEqual(['app/.npmrc']);
    expect(await get(flagged, 'environment-variables')).toEqual(variables);
  });

  test('has a bundle without the files of native ones', async () => {
    const manifest = await (
      await fetch(`${gateway.url}/bundle-requests/${id}/manifest`, { headers: gateway.headers('ada') })
    ).json();
    const names = (manifest as { entries: { path: string }[] }).entries.map(({ path }) => path.split('/')[0]);
    expect(new Set(names)).toEqual(new Set(['app', 'deps']));
  });

  test('both forms are in the schema, whatever the rules', async () => {
    const native = await gateway.stack.run({
      repository: repository.path,
      ref: 'main',
      packageManagers: ['npm', 'pip'],
    });
    const query = `query ($number: Int!, $format: SetupFormat) {
      bundleRequest(number: $number) { environment(format: $format) { name } configurationFiles(format: $format) { path text } }
    }`;
    const read = async (format: string | null) =>
      (await gateway.data(query, { number: native.id, format }, 'admin')).bundleRequest;
    expect(await read(null)).toEqual(await read('OFFLINE'));
    const { environment, configurationFiles } = await read('REGISTRY');
    expect(environment.map(({ name }: { name: string }) => name)).toContain('PIP_INDEX_URL');
    expect(configurationFiles[0].text).toContain(
      `registry=${gateway.url}/packages/cachito-npm-${native.id}/\n`,
    );
  });

  test('npm and pip install from there with nothing else reachable, until it is stale', async () => {
    const app = join(directory, 'app');
    mkdirSync(app);
    await run('git', ['-C', repository.path, `--work-tree=${app}`, 'checkout', '--', '.']);
    for (const { path, content } of await get(id, 'configuration-files')) {
      mkdirSync(dirname(join(directory, path)), { recursive: true });
      writeFileSync(join(directory, path), Buffer.from(content, 'base64'));
    }
    const { PIP_INDEX_URL } = await get(id, 'environment-variables');
    const upstreamHits = () =>
      [...registry.hits.values(), ...index.hits.values()].reduce((sum, hits) => sum + hits, 0);
    const before = upstreamHits();
    const environment = {
      PATH: process.env.PATH,
      HOME: directory,
      PIP_INDEX_URL: PIP_INDEX_URL.value,
      PIP_DISABLE_PIP_VERSION_CHECK: '1',
      npm_config_update_notifier: 'false',
      ...(await closedProxies()),
    };
    const npmCi = (...options: string[]) =>
      run('npm', ['ci', '--cache', mkdtempSync(join(directory, 'cache-')), ...options], {
        cwd: app,
        env: environment,
      });
    await npmCi();
    for (const { name } of registry.packages) expect(existsSync(join(app, 'node_modules', name))).toBe(true);
    const pip = ['-m', 'pip', 'install', '--no-cache-dir', '--no-deps', '--target', join(directory, 'py')];
    await run('python3', [...pip, '-r', 'requirements.txt'], { cwd: app, env: environment });
    expect(readdirSync(join(directory, 'py'))).toContain('plain-1.0.dist-info');
    expect(upstreamHits()).toBe(before);

    const variables = await get(id, 'environment-variables');
    await gateway.stack.database.transaction(async ({ sql }) =>
      changeState(sql, await lockRequest(sql, id), 'stale', 'The request has expired'),
    );
    await expect(npmCi('--fetch-retries=0')).rejects.toThrow('E401');
    expect(await get(id, 'environment-variables')).toEqual(variables);
  });
});

test('Addresses are those of the public URL', async () => {
  const registry = await startNpmRegistry([{ name: 'left', version: '1.0.0' }]);
  const repository = new TestRepository({
    'package.json': JSON.stringify({ name: 'app', version: '1.0.0' }),
    'package-lock.json': lockFileOf(registry, null),
  });
  const gateway = await TestGateway.start({
    worker: true,
    environment: {
      STOWAGE_NPM_REGISTRY: registry.url,
      STOWAGE_PUBLIC_URL: 'https://stowage.example/tools/',
    },
  });
  try {
    const { id } = await gateway.stack.run({ repository: repository.path, ref: 'main' });
    const query = `{ bundleRequest(number: ${id}) { configurationFiles(format: REGISTRY) { path text } } }`;
    const [npmrc] = (await gateway.data(query, {}, 'admin')).bundleRequest.configurationFiles;
    const auth = /:_auth=(.*)/.exec(npmrc.text)![1];
    expect(npmrc.text).toContain(`registry=https://stowage.example/tools/packages/cachito-npm-${id}/\n`);
    expect(npmrc.text).toContain(`//stowage.example/tools/packages/cachito-npm-${id}/:_auth=`);
    const packument = await fetch(`${gateway.url}/packages/cachito-npm-${id}/left`, {
      headers: { authorization: `Basic ${auth}` },
    });
    expect(((await packument.json()) as { versions: object }).versions).toMatchObject({
      '1.0.0': {
        dist: { tarball: `https://stowage.example/tools/packages/cachito-npm-${id}/left/-/left-1.0.0.tgz` },
      },
    });
  } finally {
    await gateway.close();
    await registry.close();
    rmSync(repository.path, { recursive: true, force: true });
  }
});
