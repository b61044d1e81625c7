import { type SpawnOptions, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The main job against the real registries, as a user would run it: `npx stowage prefetch`, unpack, lay the
 * configuration over the source, cut the network, build. Prints one line for each check and stops at the first failure.
 */
const ROOT = resolve(import.meta.dirname, '../..');
const PROJECTS = join(import.meta.dirname, 'projects');
const YARN = fileURLToPath(import.meta.resolve('yarn/bin/yarn.js'));

interface Project {
  name: string;
  /** Makes the repository to prefetch and returns its path. */
  prepare(workspace: string): Promise<string>;
  options: string[];
  /** Runs in the unpacked bundle with its environment, without network. */
  build: string;
}

const projects: Project[] = [
  {
    name: 'this repository (npm)',
    prepare: async () => ROOT,
    options: [],
    build:
      'cd app && npm ci --offline --no-audit --no-fund --cache "$PWD/../npm-cache" && node_modules/.bin/tsc --version',
  },
  {
    name: 'a yarn project',
    prepare: (workspace) => repositoryOf('yarn', workspace),
    options: [],
    build: `cd app && node "${YARN}" install --offline --frozen-lockfile --non-interactive && node -e 'require("express"); require("old-ms")'`,
  },
  {
    name: 'a pip project',
    prepare: (workspace) => repositoryOf('python', workspace),
    options: [],
    build:
      'python3 -m venv venv && venv/bin/pip install --no-cache-dir -r app/requirements.txt && venv/bin/pip check && venv/bin/python -c "import flask, networkx, openpyxl"',
  },
  {
    name: 'a Go module',
    prepare: (workspace) => repositoryOf('go', workspace),
    options: [],
    build: 'cd app && go build -o ../live . && ../live',
  },
];

async function main(): Promise<void> {
  const workspace = await mkdtemp(join(tmpdir(), 'stowage-live-'));
  try {
    for (const project of projects) await check(project, workspace);
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

async function check(project: Project, workspace: string): Promise<void> {
  const directory = await mkdtemp(join(workspace, 'project-'));
  const repository = await project.prepare(directory);
  const bundle = join(directory, 'bundle.tar.gz');
  const dataDir = join(workspace, 'data');

  console.log(`\n--- ${project.name}: prefetch`);
  await run('npx', ['stowage', 'prefetch', repository, '--output', bundle, ...project.options], {
    cwd: ROOT,
    env: { ...process.env, STOWAGE_DATA_DIR: dataDir },
  });
  console.log(`--- ${project.name}: verify`);
  await run('npx', ['stowage', 'verify', bundle], {
    cwd: ROOT,
    env: { ...process.env, STOWAGE_DATA_DIR: dataDir },
  });

  console.log(`--- ${project.name}: build without network`);
  const unpacked = join(directory, 'unpacked');
  await mkdir(unpacked);
  await run('tar', ['xzf', bundle, '-C', unpacked]);
  const script = `set -e; if [ -d config ]; then cp -R config/. .; fi; . ./stowage.env; ${project.build}`;
  await runOffline(script, unpacked);
  console.log(`ok - ${project.name}`);
}

async function repositoryOf(name: string, workspace: string): Promise<string> {
  const repository = join(workspace, name);
  await cp(join(PROJECTS, name), repository, { recursive: true });
  const git = (...args: string[]): Promise<void> =>
    run('git', ['-c', 'user.name=live', '-c', 'user.email=live@stowage.example', ...args], {
      cwd: repository,
    });
  await git('init', '-q', '-b', 'main');
  await git('add', '-A');
  await git('commit', '-q', '-m', 'live test');
  return repository;
}

/** In a network namespace of its own where possible: nothing can be fetched, not even from a cache server. */
async function runOffline(script: string, cwd: string): Promise<void> {
  const home = join(cwd, 'home');
  await mkdir(home, { recursive: true });
  const env: NodeJS.ProcessEnv = { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8' };
  const map = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  await run('unshare', [...map, '--net', 'bash', '-c', script], { cwd, env });
}

function run(command: string, args: string[], options: SpawnOptions = {}): Promise<void> {
  return new Promise((resolvePromise, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (code === 0) resolvePromise();
      else reject(new Error(`${command} ${args.slice(0, 3).join(' ')} … ended with ${code ?? signal}`));
    });
  });
}

await main().catch((error: Error) => {
  console.error(`not ok - ${error.message}`);
  process.exitCode = 1;
});
