import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { TestRepository } from '../support/git-repository.ts';
import { type GoProxy, manyModules, projectOf, startGoProxy } from '../support/go-proxy.ts';
import { withoutNetwork } from '../support/network.ts';
import { lockFileOf, manyPackages, type NpmRegistry, startNpmRegistry } from '../support/npm-registry.ts';
import { makeSdist, type PythonIndex, requirementsOf, startPythonIndex } from '../support/python-index.ts';
import { StowageCommand, stowage } from '../support/stowage-command.ts';

/** The first command of the README, on everything embedded: a repository with three package managers. */
describe('stowage prefetch without a server', { timeout: 120_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'stowage-local-'));
  // As below the home of root: nobody else may enter.
  const home = join(directory, 'home');
  const dataDir = join(home, 'data');
  let npm: NpmRegistry;
  let index: PythonIndex;
  let proxy: GoProxy;
  let repository: TestRepository;
  let env: Record<string, string>;

  beforeAll(async () => {
    mkdirSync(home, { mode: 0o700 });
    npm = await startNpmRegistry(manyPackages(5));
    index = await startPythonIndex([makeSdist('one', '1.0'), makeSdist('two', '2.0')]);
    proxy = await startGoProxy(manyModules(3));
    const go = projectOf(proxy.modules);
    repository = new TestRepository({
      'package.json': JSON.stringify({ name: 'app', version: '1.0.0' }),
      'package-lock.json': lockFileOf(npm, null),
      'setup.cfg': '[metadata]\nname = app\nversion = 1.0\n',
      'requirements.txt': requirementsOf(index.files),
      ...Object.fromEntries(Object.entries(go).map(([path, content]) => [`service/${path}`, content])),
      'examples/package.json': JSON.stringify({ name: 'example', version: '1.0.0' }),
      'examples/package-lock.json': lockFileOf(npm, null),
    });
    env = {
      STOWAGE_DATA_DIR: dataDir,
      STOWAGE_NPM_REGISTRY: npm.url,
      STOWAGE_PYPI_INDEX: index.url,
      STOWAGE_GOPROXY: proxy.url,
      STOWAGE_GOSUMDB: 'off',
    };
  });

  afterAll(async () => {
    await npm.close();
    await index.close();
    await proxy.close();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Nothing of the command is left: no database, no temporary file. */
  const expectNothingLeft = (): void => {
    expect(existsSync(join(dataDir, 'postgres', 'postmaster.pid'))).toBe(false);
    expect(readdirSync(join(dataDir, 'tmp'))).toEqual([]);
    expect(readdirSync(join(dataDir, 'blobs', 'tmp'))).toEqual([]);
  };

  const bundle = join(directory, 'bundle.tar.gz');

  test('tells the plan and the progress, and makes the bundle', async () => {
    const run = await stowage(['prefetch', repository.path, '--output', bundle], { env });
    expect(run.status, run.stderr).toBe(0);
    const progress = run.stderr.split('\n');
    expect(progress[0]).toBe('starting a local server');
    expect(progress.filter((line) => line.startsWith('plan: '))).toEqual([
      'plan: gomod at service (service/go.mod, service/go.sum)',
      'plan: npm at . (package.json, package-lock.json)',
      'plan: pip at . (requirements.txt)',
    ]);
    const plan = progress.findIndex((line) => line.startsWith('plan: '));
    expect(progress.findIndex((line) => /^(gomod|npm|pip) /.test(line))).toBeGreaterThan(plan);
    for (const step of ['source', 'gomod', 'npm', 'pip', 'bundle']) {
      expect(progress.some((line) => new RegExp(`^${step} +done `).test(line))).toBe(true);
    }
    expect(run.stdout).toMatch(/^bundle {6}.*bundle\.tar\.gz \(\d+(\.\d+)? [kM]?B\)$/m);
    expect(run.stdout).toContain(`commit      ${repository.head}\n`);
    expect(run.stdout).toMatch(/^contains {4}\d+ packages, \d+ dependencies, \d+ files$/m);
    expect(run.stdout).toMatch(/^manifest {4}sha256:[0-9a-f]{64}$/m);
    expect(readdirSync(directory).sort()).toEqual([
      'bundle.manifest.json',
      'bundle.provenance.jsonl',
      'bundle.sbom.json',
      'bundle.tar.gz',
      'home',
      'stowage.env',
    ]);
    expectNothingLeft();
  });

  test('which builds with every package manager and no network', () => {
    const unpacked = join(directory, 'unpacked');
    mkdirSync(unpacked);
    execFileSync('tar', ['xzf', bundle, '-C', unpacked]);
    const script = `
      set -e
      cp -R config/. .
      . ./stowage.env
      cd app
      npm ci --offline --ignore-scripts --no-audit --no-fund --silent
      node -p 'Object.keys(require("./package-lock.json").packages).length'
      python3 -m pip install --quiet --no-deps --target installed -r requirements.txt
      ls installed | grep -c dist-info
      cd service && GOCACHE=${inject('goBuildCache')} go build -o program . && ./program 2>&1`;
    const [program, args] = withoutNetwork('sh', '-c', script);
    const output = execFileSync(program, args, {
      cwd: unpacked,
      env: {
        PATH: process.env.PATH,
        HOME: unpacked,
        PIP_DISABLE_PIP_VERSION_CHECK: '1',
        PIP_ROOT_USER_ACTION: 'ignore',
      },
      encoding: 'utf8',
    });
    expect(output).toBe('6\n2\nm0 m1 m2\n');
  });

  test('again: nothing is fetched, and the bundle is the same', async () => {
    for (const hits of [npm.hits, index.hits, proxy.hits]) hits.clear();
    const again = join(directory, 'again.tar.gz');
    const run = await stowage(['prefetch', repository.path, '--json', '--output', again], { env });
    expect(run.status, run.stderr).toBe(0);
    const lines = run.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect([...new Set(lines.map((line) => line.type))].sort()).toEqual([
      'event',
      'log',
      'phase',
      'result',
      'submitted',
    ]);
    expect(lines.at(-1)).toMatchObject({ type: 'result', commit: repository.head, packages: 4 });
    expect(readFileSync(again).equals(readFileSync(bundle))).toBe(true);
    expect([...npm.hits.keys(), ...proxy.hits.keys()]).toEqual([]);
    expect([...index.hits.keys()].filter((path) => !path.startsWith('simple/'))).toEqual([]);
    expectNothingLeft();
  });

  test('Ctrl-C ends it, and all that it has started', async () => {
    npm.fail('package-0@1.0.0', { status: 503, times: 1_000 });
    const other = join(directory, 'other');
    const command = new StowageCommand(
      ['prefetch', repository.path, '--npm', '.', '--output', join(directory, 'interrupted.tar.gz')],
      { env: { ...env, STOWAGE_DATA_DIR: other } },
    );
    await command.until(/^npm +running/m);
    const run = await command.end('SIGINT');
    expect(run.status).toBe(130);
    expect(run.stderr).toContain('error: Interrupted\n');
    expect(existsSync(join(directory, 'interrupted.tar.gz'))).toBe(false);
    expect(existsSync(join(other, 'postgres', 'postmaster.pid'))).toBe(false);
    expect(readdirSync(join(other, 'tmp'))).toEqual([]);
    expect(readdirSync(join(other, 'blobs', 'tmp'))).toEqual([]);
    await expect.poll(() => processesOf(other)).toEqual([]);
  });

  test('16: the Go toolchain is too old', async () => {
    const old = new TestRepository({ 'go.mod': 'module git.example/app\n\ngo 1.999\n' });
    const run = await stowage(
      ['prefetch', old.path, '--gomod', '.', '--output', join(directory, 'x.tar.gz')],
      {
        env,
      },
    );
    expect(run.status, run.stderr).toBe(16);
    expect(run.stderr).toMatch(/^error: .*1\.999/m);
  });
});

/** Command lines of processes that name a directory or run in its environment. */
function processesOf(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        return `${environment} ${command}`.includes(directory) ? [command] : [];
      } catch {
        return [];
      }
    });
}
