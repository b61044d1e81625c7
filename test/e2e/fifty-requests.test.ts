import { mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readHistory } from '../../src/domain/database/sql/request-details.ts';
import { DEFAULT_REGISTRY } from '../../src/workers/javascript-packages/registries.ts';
import { CachitoClient } from '../support/cachito-client.ts';
import { TestGateway } from '../support/gateway.ts';
import { type GemServer, makeGem, startGemServer } from '../support/gem-server.ts';
import { gemfileLock } from '../support/gemfile-lock.ts';
import { TestRepository } from '../support/git-repository.ts';
import { type GoProxy, manyModules, projectOf, startGoProxy } from '../support/go-proxy.ts';
import { leftovers } from '../support/leftovers.ts';
import {
  lockFileOf,
  manyPackages,
  type NpmRegistry,
  startNpmRegistry,
  yarnLockOf,
} from '../support/npm-registry.ts';
import { makeSdist, type PythonIndex, requirementsOf, startPythonIndex } from '../support/python-index.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const REQUESTS = 50;

interface Kind {
  managers: string[];
  repository: TestRepository;
}

/** Issue 4: "50 requests at once, two workers, one of which is killed half-way: all 50 complete, none twice." */
describe('fifty requests at once', () => {
  let gateway: TestGateway;
  let client: CachitoClient;
  let npm: NpmRegistry;
  let pypi: PythonIndex;
  let goProxy: GoProxy;
  let gems: GemServer;
  let kinds: Kind[];
  let environment: Record<string, string>;
  const workers: WorkerProcess[] = [];

  beforeAll(async () => {
    npm = await startNpmRegistry(manyPackages(20));
    pypi = await startPythonIndex([makeSdist('plain', '1.0'), makeSdist('second', '2.1')]);
    goProxy = await startGoProxy(manyModules(3));
    gems = await startGemServer([makeGem('plain', '1.0'), makeGem('second', '2.1')]);
    const upstreams = {
      STOWAGE_NPM_REGISTRY: npm.url,
      STOWAGE_PYPI_INDEX: pypi.url,
      STOWAGE_GOPROXY: goProxy.url,
      STOWAGE_GOSUMDB: 'off',
      STOWAGE_RUBYGEMS_SOURCE: gems.url,
    };
    kinds = makeKinds();
    gateway = await TestGateway.start({ environment: upstreams });
    const { settings, database } = gateway.stack;
    environment = {
      ...upstreams,
      DATABASE_URL: database.url,
      STOWAGE_DATA_DIR: settings.dataDir,
      STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file',
      STOWAGE_WORKER_CONCURRENCY: '4',
    };
    client = new CachitoClient(gateway.url, gateway.headers('ada'));
  });
  afterAll(async () => {
    for (const worker of workers) await worker.end('SIGKILL');
    await gateway.close();
    await Promise.all([npm, pypi, goProxy, gems].map((server) => server.close()));
    for (const { repository } of kinds) rmSync(repository.path, { recursive: true, force: true });
  });

  function makeKinds(): Kind[] {
    const dependencies = Object.fromEntries(npm.packages.map(({ name, version }) => [name, version]));
    const manifest = JSON.stringify({ name: 'fixture-application', version: '1.0.0', dependencies });
    const npmFiles = { 'package.json': manifest, 'package-lock.json': lockFileOf(npm, null) };
    const pipFiles = {
      'setup.cfg': '[metadata]\nname = project\nversion = 1.0\n',
      'requirements.txt': requirementsOf(pypi.files),
    };
    const goFiles = projectOf(goProxy.modules);
    const library = new TestRepository({ 'library.txt': '1' });
    const submodules = new TestRepository({
      '.gitmodules': `[submodule "library"]\n\tpath = lib\n\turl = ../${basename(library.path)}\n`,
    });
    // Where the submodule would be checked out: later commits keep it.
    mkdirSync(join(submodules.path, 'lib'));
    submodules.git('update-index', '--add', '--cacheinfo', `160000,${library.head},lib`);
    submodules.git('commit', '--quiet', '-m', 'submodule');
    const kind = (managers: string[], files: Record<string, string>): Kind => ({
      managers,
      repository: new TestRepository(files),
    });
    return [
      kind(['npm'], npmFiles),
      kind(['gomod'], goFiles),
      kind(['pip'], pipFiles),
      kind(['yarn'], { 'package.json': manifest, 'yarn.lock': yarnLockOf(npm, DEFAULT_REGISTRY) }),
      kind(['rubygems'], {
        Gemfile: "gem 'second'\n",
        'Gemfile.lock': gemfileLock({ gems: ['plain (1.0)', 'second (2.1)'], dependencies: ['second'] }),
      }),
      { managers: ['git-submodule'], repository: submodules },
      kind(['gomod', 'npm', 'pip'], { ...npmFiles, ...goFiles, ...pipFiles }),
    ];
  }

  const count = async (condition: string): Promise<number> => {
    const rows = await gateway.stack.database.sql.query(`select from bundle_requests where ${condition}`);
    return rows.length;
  };
  const until = async (what: () => Promise<boolean>): Promise<void> => {
    for await (const _ of gateway.stack.hub.follow('bundle-request', AbortSignal.timeout(80_000), async () =>
      (await what()) ? [true] : [],
    )) {
      return;
    }
    throw new Error(`still waiting: ${workers.map((worker) => worker.output).join('\n')}`);
  };

  test('all complete, none twice, although one of two workers is killed half-way', async () => {
    const submissions = Array.from({ length: REQUESTS }, (_, index) => {
      const { managers, repository } = kinds[index % kinds.length]!;
      const ref = repository.commit({ 'README.md': `request ${index}\n` });
      return { repo: repository.path, ref, pkg_managers: managers };
    });
    const ids = await Promise.all(submissions.map((submission) => client.submit(submission)));
    workers.push(new WorkerProcess(environment), new WorkerProcess(environment));
    await until(async () => (await count(`state = 'complete'`)) >= REQUESTS / 2);
    expect(await workers[0]!.end('SIGKILL')).toBe('SIGKILL');
    expect(await count(`state = 'in_progress'`)).toBeGreaterThan(0);
    await until(async () => (await count(`state = 'in_progress'`)) === 0);

    const requests = await Promise.all(ids.map((id) => client.read(id)));
    expect(requests.map(({ id, state, state_reason }) => `${id} ${state}: ${state_reason}`)).toEqual(
      ids.map((id) => `${id} complete: Completed successfully`),
    );
    const history = await readHistory(gateway.stack.database.sql, ids);
    const ends = history.filter(({ state }) => state !== 'in_progress');
    expect(ends.map(({ requestId }) => requestId).toSorted((a, b) => a - b)).toEqual(
      ids.toSorted((a, b) => a - b),
    );
    for (const [index, { packages, pkg_managers, dependencies }] of requests.entries()) {
      const first = requests[index % kinds.length]!;
      expect(pkg_managers).toEqual(kinds[index % kinds.length]!.managers);
      expect(packages.length).toBe(first.packages.length);
      expect(packages.length).toBeGreaterThanOrEqual(pkg_managers.length);
      expect(dependencies.length).toBe(first.dependencies.length);
    }
    expect(await workers[1]!.end('SIGTERM')).toBe(0);
    const { database, blobs, settings } = gateway.stack;
    // What a killed worker had written and not named yet is the garbage collection's.
    const { missingBlobs, claims, lockedJobs, temporaryFiles } = await leftovers(
      database,
      blobs,
      settings.dataDir,
    );
    expect({ missingBlobs, claims, lockedJobs, temporaryFiles }).toEqual({
      missingBlobs: [],
      claims: [],
      lockedJobs: [],
      temporaryFiles: [],
    });
  }, 90_000);
});
