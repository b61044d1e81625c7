import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Database } from '../../../../src/domain/database/database.ts';
import { rubygems } from '../../../../src/workers/ecosystems/rubygems/index.ts';
import { testDatabase } from '../../../support/database.ts';
import {
  type GemServer,
  gemConstant,
  gemSource,
  makeGem,
  startGemServer,
} from '../../../support/gem-server.ts';
import { gemfileLock, gitSection, pathSection } from '../../../support/gemfile-lock.ts';
import { TestRepository } from '../../../support/git-repository.ts';
import { layOutBundle } from '../../../support/laid-out-bundle.ts';
import { MemoryBlobStore } from '../../../support/memory-blob-store.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { withoutNetwork } from '../../../support/network.ts';
import { remoteGitTrees } from '../../../support/remote-git-trees.ts';
import {
  resolveContext,
  type TestResolveContext,
  temporaryDirectory,
} from '../../../support/resolve-context.ts';

const run = promisify(execFile);
const GIT_URL = 'https://git.example/team/git-gem.git';
const PART_URL = 'https://git.example/team/part.git';

let server: GemServer;
let database: Database;
let repository: TestRepository;

beforeAll(async () => {
  await run('bundle', ['--version']).catch((cause) => {
    throw new Error('Bundler is missing: install the Debian packages of system-packages.txt', { cause });
  });
  server = await startGemServer([
    makeGem('plain', '1.0'),
    makeGem('dotted.name', '2.1.0.pre1', { dependencies: { plain: '>= 0' } }),
    makeGem('needs-others', '3.0', { dependencies: { 'dotted.name': '>= 2.0.a', plain: '~> 1.0' } }),
  ]);
  database = await testDatabase();
  repository = new TestRepository({ 'README.md': 'older\n' });
  repository.commit({
    ...gemSource('git-gem', '4.2'),
    'README.md': 'newer\n',
    'bin/tool': { executable: '#!/bin/sh\n' },
    'lib/link.rb': { link: 'git-gem.rb' },
  });
});

afterAll(async () => {
  await server.close();
  await database.close();
  rmSync(repository.path, { recursive: true, force: true });
});

function prepare(
  files: Record<string, string>,
  packages = [{ path: '.' }],
  repositories: Record<string, string> = { [GIT_URL]: repository.path },
): TestResolveContext {
  const blobs = new MemoryBlobStore();
  return resolveContext({
    source: memorySourceTree(files),
    settings: { rubygemsSource: server.url },
    packages,
    blobs,
    git: remoteGitTrees(database, blobs, repositories),
  });
}

/** Installs without any network, and tells the versions that Ruby then sees. */
async function install(directory: string, gems: readonly string[], ...options: string[]): Promise<string[]> {
  const environment = { PATH: process.env.PATH, HOME: temporaryDirectory(), LANG: 'C.UTF-8' };
  const [program, args] = withoutNetwork('bundle', 'install', ...options);
  await run(program, args, { cwd: directory, env: environment });
  const script = gems.map((gem) => `require ${JSON.stringify(gem)}; puts ${gemConstant(gem)}`).join('; ');
  const { stdout } = await run('bundle', ['exec', 'ruby', '-e', script], {
    cwd: directory,
    env: environment,
  });
  return stdout.trim().split('\n');
}

describe('bundle install without network', { timeout: 60_000 }, () => {
  test('gems, a git dependency and a gem of the source', async () => {
    const commit = repository.head;
    const prepared = prepare({
      Gemfile: [
        'source "https://rubygems.org"',
        'gem "needs-others"',
        `gem "git-gem", git: "${GIT_URL}", branch: "main"`,
        'gem "own", path: "engines/own"',
        '',
      ].join('\n'),
      'Gemfile.lock': gemfileLock({
        sections: [
          gitSection(GIT_URL, { revision: commit, branch: 'main' }, ['git-gem (4.2)']),
          pathSection('engines/own', ['own (0.1)']),
        ],
        gems: [
          'dotted.name (2.1.0.pre1)',
          '  plain',
          'needs-others (3.0)',
          '  dotted.name (>= 2.0.a)',
          '  plain (~> 1.0)',
          'plain (1.0)',
        ],
        dependencies: ['git-gem!', 'needs-others', 'own!'],
      }),
      'engines/own/own.gemspec': gemSource('own', '0.1')['own.gemspec']!.replace(/.*spec.files.*\n/, ''),
      'engines/own/lib/own.rb': gemSource('own', '0.1')['lib/own.rb']!,
    });
    const resolution = await rubygems.resolve(prepared.context);
    const bundle = await layOutBundle(prepared, resolution);
    const gems = ['plain', 'dotted.name', 'needs-others', 'git-gem', 'own'];
    expect(await install(join(bundle, 'app'), gems, '--local')).toEqual([
      '1.0',
      '2.1.0.pre1',
      '3.0',
      '4.2',
      '0.1',
    ]);

    const workTree = join(
      bundle,
      'deps/rubygems/git.example/team/git-gem',
      `git-gem-external-gitcommit-${commit}`,
      'app',
    );
    const git = async (...args: string[]) => (await run('git', args, { cwd: workTree })).stdout;
    expect(await git('rev-parse', 'HEAD')).toBe(`${commit}\n`);
    expect(await git('rev-parse', '--abbrev-ref', 'HEAD')).toBe('main\n');
    expect(await git('status', '--porcelain')).toBe('');
    expect(await git('fsck', '--full', '--strict')).toBe('');
    expect(readFileSync(join(workTree, '.git/config'), 'utf8')).toContain(`url = "${GIT_URL}"`);
  });

  test('in a directory of the source, with a Bundler that the lock file does not name, and without --local', async () => {
    const prepared = prepare(
      {
        'web/site/Gemfile': 'source "https://rubygems.org"\ngem "needs-others"\n',
        'web/site/Gemfile.lock': gemfileLock({
          gems: [
            'dotted.name (2.1.0.pre1)',
            '  plain',
            'needs-others (3.0)',
            '  dotted.name (>= 2.0.a)',
            '  plain (~> 1.0)',
            'plain (1.0)',
          ],
          dependencies: ['needs-others'],
          checksums: [`plain (1.0) sha256=${server.digest('plain')}`, 'needs-others (3.0)'],
        }).replace('2.3.15', '2.3.99'),
      },
      [{ path: 'web/site' }],
    );
    const bundle = await layOutBundle(prepared, await rubygems.resolve(prepared.context));
    const installed = await install(join(bundle, 'app/web/site'), ['plain', 'dotted.name', 'needs-others']);
    expect(installed).toEqual(['1.0', '2.1.0.pre1', '3.0']);
  });

  test('a git dependency with several gems and submodules, by its tag', async () => {
    const part = new TestRepository({ 'lib/part.rb': 'PART = "7"\n' });
    const whole = new TestRepository({
      ...inFolder('one', gemSource('one', '1.1')),
      ...inFolder('two-more', gemSource('two-more', '1.2')),
      '.gitmodules': `[submodule "part"]\n\tpath = one/part\n\turl = ${PART_URL}\n`,
    });
    onTestFinished(() => {
      for (const { path } of [part, whole]) rmSync(path, { recursive: true, force: true });
    });
    whole.git('update-index', '--add', '--cacheinfo', `160000,${part.head},one/part`);
    whole.git('commit', '--quiet', '-m', 'submodule');
    const commit = whole.head;
    const prepared = prepare(
      {
        Gemfile: `source "https://rubygems.org"\ngit "${GIT_URL}", tag: "v1", submodules: true do\n  gem "one"\n  gem "two-more"\nend\n`,
        'Gemfile.lock': gemfileLock({
          sections: [
            gitSection(GIT_URL, { revision: commit, tag: 'v1', submodules: 'true' }, [
              'one (1.1)',
              'two-more (1.2)',
            ]),
          ],
          dependencies: ['one!', 'two-more!'],
        }),
      },
      [{ path: '.' }],
      { [GIT_URL]: whole.path, [PART_URL]: part.path },
    );
    const bundle = await layOutBundle(prepared, await rubygems.resolve(prepared.context));
    expect(await install(join(bundle, 'app'), ['one', 'two-more'], '--local')).toEqual(['1.1', '1.2']);
    const workTree = join(
      bundle,
      'deps/rubygems/git.example/team/git-gem',
      `git-gem-external-gitcommit-${commit}/app`,
    );
    expect(readFileSync(join(workTree, 'one/part/lib/part.rb'), 'utf8')).toBe('PART = "7"\n');
    const { stdout } = await run('git', ['ls-files', '--stage', 'one/part'], { cwd: workTree });
    expect(stdout).toBe(`160000 ${part.head} 0\tone/part\n`);
  });
});

function inFolder(folder: string, files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text]));
}
