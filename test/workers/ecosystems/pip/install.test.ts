import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Resolution } from '../../../../src/workers/ecosystems/ecosystem.ts';
import { pip } from '../../../../src/workers/ecosystems/pip/index.ts';
import {
  type ConsumedForm,
  consumerEnvironment,
  layOutBundle,
  serveResolution,
} from '../../../support/laid-out-bundle.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { closedProxies, withoutNetwork } from '../../../support/network.ts';
import {
  makeSdist,
  makeWheel,
  type PythonIndex,
  sdistFiles,
  startPythonIndex,
} from '../../../support/python-index.ts';
import { RegistryServer, selfSigned } from '../../../support/registry-server.ts';
import {
  resolveContext,
  type TestResolveContext,
  temporaryDirectory,
} from '../../../support/resolve-context.ts';

const run = promisify(execFile);
const COMMIT = 'ab'.repeat(20);
const GIT_URL = 'https://git.example/team/git-project.git';

let index: PythonIndex;
let files: PythonIndex;

beforeAll(async () => {
  index = await startPythonIndex([
    makeSdist('plain', '1.0'),
    makeSdist('Dotted.Name', '2.1'),
    makeSdist('dashed-name', '0.3.1', { fileNameBase: 'dashed_name' }),
    makeSdist('zipped', '3.0', { extension: '.zip' }),
    makeSdist('has-wheel', '4.0'),
    makeWheel('has-wheel', '4.0'),
    makeWheel('has-wheel', '4.0', { tag: 'cp311-cp311-win_amd64' }),
    makeSdist('builder', '5.0'),
  ]);
  files = await startPythonIndex([makeSdist('url-project', '1.5')]);
});

afterAll(async () => {
  await index.close();
  await files.close();
});

type Command = (...args: string[]) => [string, string[]];

interface Installation extends ConsumedForm {
  command: Command;
  environment?: Record<string, string>;
}

const OFFLINE: Installation = { form: 'offline', command: (...args) => withoutNetwork('python3', ...args) };

/** Installs into a new environment. */
async function install(
  prepared: TestResolveContext,
  resolution: Resolution,
  requirements: string[],
  installation: Installation = OFFLINE,
): Promise<Record<string, string>> {
  const root = await layOutBundle(prepared, resolution, installation);
  const environment: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: root,
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    ...installation.environment,
    ...consumerEnvironment(root, resolution, installation),
  };
  const target = join(root, 'installed');
  const [program, args] = installation.command(
    ...['-m', 'pip', 'install', '--no-cache-dir', '--no-deps', '--target', target],
    ...requirements.flatMap((file) => ['-r', file]),
  );
  await run(program, args, { cwd: join(root, 'app'), env: environment });
  const { stdout } = await run('python3', ['-m', 'pip', 'list', '--path', target, '--format', 'json'], {
    env: environment,
  });
  const listed = JSON.parse(stdout) as { name: string; version: string }[];
  return Object.fromEntries(listed.map(({ name, version }) => [name, version]));
}

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex');
const pinned = (fileName: string, requirement: string) =>
  `${requirement} --hash=sha256:${index.find(fileName).digest}\n`;
const urlOf = () => {
  const file = files.find('url-project-1.5.tar.gz');
  return { url: new URL(file.path, files.url).href, digest: file.digest };
};

function prepare(
  sources: Record<string, string>,
  options: Partial<Parameters<typeof resolveContext>[0]> = {},
) {
  return resolveContext({
    source: memorySourceTree({ 'setup.cfg': '[metadata]\nname = project\nversion = 1.0\n', ...sources }),
    settings: { pypiIndex: index.url },
    trees: { [`${GIT_URL}#${COMMIT}`]: memorySourceTree(sdistFiles('git-project', '7.0')) },
    ...options,
  });
}

describe('pip install without network', { timeout: 60_000 }, () => {
  test('releases, git and URL dependencies, without hashes', async () => {
    const prepared = prepare({
      'requirements.txt':
        'plain==1.0\nDotted.Name==2.1 # comment\n-r more/extra.txt\n' +
        `url_project @ ${urlOf().url} --hash=sha256:${urlOf().digest}\n`.replace(
          / --hash.*/,
          `#cachito_hash=sha256:${urlOf().digest}`,
        ),
      'more/extra.txt': `zipped==3.0\ngit+${GIT_URL}@${COMMIT}#egg=git_project ; python_version >= "3"\n`,
      'requirements-build.txt': 'builder==5.0\n',
    });
    const resolution = await pip.resolve(prepared.context);
    const installed = await install(prepared, resolution, ['requirements.txt', 'requirements-build.txt']);
    expect(installed).toEqual({
      plain: '1.0',
      'Dotted.Name': '2.1',
      zipped: '3.0',
      'url-project': '1.5',
      'git-project': '7.0',
      builder: '5.0',
    });
  });

  test('with hashes in force', async () => {
    const prepared = prepare({
      'requirements.txt':
        pinned('plain-1.0.tar.gz', 'plain==1.0') +
        pinned('dashed_name-0.3.1.tar.gz', 'dashed-name==0.3.1 \\\n   ') +
        `url-project @ ${urlOf().url} --hash=sha256:${urlOf().digest}\n` +
        `git-project @ git+${GIT_URL}@${COMMIT}\n`,
    });
    const resolution = await pip.resolve(prepared.context);
    const [requirements] = resolution.offline.configurationFiles;
    const archive = resolution.files.find(({ path }) => path.includes('gitcommit'))!;
    expect(requirements!.content.toString()).toBe(
      `${pinned('plain-1.0.tar.gz', 'plain==1.0')}dashed-name==0.3.1 \\\n    --hash=sha256:${index.find('dashed_name-0.3.1.tar.gz').digest}\n` +
        `url-project @ file://\${STOWAGE_DEPS}/pip/external-url-project/url-project-external-sha256-${urlOf().digest}.tar.gz --hash=sha256:${urlOf().digest}\n` +
        `git-project @ file://\${STOWAGE_DEPS}/pip/git.example/team/git-project/git-project-external-gitcommit-${COMMIT}.tar.gz --hash=${archive.digest}\n`,
    );
    expect(await install(prepared, resolution, ['requirements.txt'])).toEqual({
      plain: '1.0',
      'dashed-name': '0.3.1',
      'url-project': '1.5',
      'git-project': '7.0',
    });
  });

  test('wheels where they are asked for', async () => {
    const prepared = prepare(
      { 'requirements.txt': 'has-wheel==4.0\nplain==1.0\n' },
      { packages: [{ path: '.', binary: { packages: 'has-wheel' } }] },
    );
    const resolution = await pip.resolve(prepared.context);
    expect(resolution.files.map(({ path }) => path)).toEqual([
      'deps/pip/has_wheel/has_wheel-4.0-py3-none-any.whl',
      'deps/pip/index.html',
      'deps/pip/plain/plain-1.0.tar.gz',
    ]);
    expect(await install(prepared, resolution, ['requirements.txt'])).toEqual({
      'has-wheel': '4.0',
      plain: '1.0',
    });
  });
});

describe('pip install at the registry of the request', { timeout: 60_000 }, () => {
  let server: RegistryServer;
  beforeAll(async () => {
    server = await RegistryServer.start();
  });
  afterAll(() => server.close());

  async function serve(prepared: TestResolveContext, resolution: Resolution, at = server) {
    const { id, fill } = await serveResolution(at, prepared, resolution);
    const installation: Installation = {
      form: 'registry',
      command: (...args) => ['python3', [...args, '--retries', '0']],
      environment: await closedProxies(),
      fill,
    };
    return { id, installation };
  }

  const upstreamHits = () =>
    [...index.hits.values(), ...files.hits.values()].reduce((sum, hits) => sum + hits, 0);

  test.for(['without hashes', 'with hashes in force'] as const)('%s', async (hashes) => {
    const digest = (fileName: string) =>
      hashes === 'without hashes' ? '' : ` --hash=sha256:${index.find(fileName).digest}`;
    const prepared = prepare({
      'requirements.txt':
        `plain==1.0${digest('plain-1.0.tar.gz')}\n` +
        `Dotted.Name==2.1${digest('Dotted.Name-2.1.tar.gz')}\n` +
        `dashed_name==0.3.1${digest('dashed_name-0.3.1.tar.gz')}\n` +
        `url-project @ ${urlOf().url} --hash=sha256:${urlOf().digest}\n`.replace(
          hashes === 'without hashes' ? / --hash=(.*)/ : /$^/,
          '#cachito_hash=$1',
        ) +
        `git-project @ git+${GIT_URL}@${COMMIT} ; python_version >= "3"\n`,
    });
    const resolution = await pip.resolve(prepared.context);
    const { id, installation } = await serve(prepared, resolution);
    const before = upstreamHits();
    expect(await install(prepared, resolution, ['requirements.txt'], installation)).toEqual({
      plain: '1.0',
      'Dotted.Name': '2.1',
      'dashed-name': '0.3.1',
      'url-project': '1.5',
      'git-project': '7.0',
    });
    expect(upstreamHits()).toBe(before);

    await server.changeState(id, 'stale');
    const late = install(prepared, resolution, ['requirements.txt'], {
      ...installation,
      command: (...args) => ['python3', [...args, '--retries', '0', '--no-input']],
    });
    await expect(late).rejects.toThrow(/401|No matching distribution/);
  });

  test('with the authority that signed our certificate', async () => {
    const tls = selfSigned(temporaryDirectory());
    const secured = await RegistryServer.start(tls);
    try {
      const prepared = prepare(
        { 'requirements.txt': `plain==1.0\ngit-project @ git+${GIT_URL}@${COMMIT}\n` },
        { settings: { pypiIndex: index.url, registryCaFile: tls.certificate } },
      );
      const resolution = await pip.resolve(prepared.context);
      const { installation } = await serve(prepared, resolution, secured);
      expect(await install(prepared, resolution, ['requirements.txt'], installation)).toEqual({
        plain: '1.0',
        'git-project': '7.0',
      });
    } finally {
      await secured.close();
    }
  });
});

describe('a repeated request', () => {
  test('asks nobody', async () => {
    const sources = {
      'requirements.txt': `${pinned('plain-1.0.tar.gz', 'plain==1.0')}git-project @ git+${GIT_URL}@${COMMIT}\n`,
    };
    const first = prepare(sources);
    const before = await pip.resolve(first.context);
    const hits = new Map(index.hits);
    const again = prepare(sources, { artifacts: first.artifacts, blobs: first.blobs, trees: {} });
    const after = await pip.resolve(again.context);
    expect(index.hits).toEqual(hits);
    expect(after).toEqual(before);
    expect(sha256(Buffer.from(JSON.stringify(after)))).toBe(sha256(Buffer.from(JSON.stringify(before))));
  });
});
