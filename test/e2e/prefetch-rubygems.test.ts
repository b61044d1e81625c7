import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, dropTestDatabase } from '../support/database.ts';
import { type GemServer, gemSource, makeGem, startGemServer } from '../support/gem-server.ts';
import { gemfileLock, gitSection } from '../support/gemfile-lock.ts';
import { TestRepository } from '../support/git-repository.ts';
import { withoutNetwork } from '../support/network.ts';
import { stowage } from '../support/stowage-command.ts';

const run = promisify(execFile);
const GIT_URL = 'https://git.example/team/git-gem.git';

/** prefetch.md 7: a Ruby project from its repository to an installation without network. */
describe('stowage prefetch of a Ruby project', { timeout: 120_000 }, () => {
  let registry: GemServer;
  let dependency: TestRepository;
  let project: TestRepository;
  let directory: string;
  let url: string;

  const command = (...args: string[]) =>
    stowage(args, {
      cwd: directory,
      env: {
        DATABASE_URL: url,
        STOWAGE_DATA_DIR: join(directory, 'data'),
        STOWAGE_RUBYGEMS_SOURCE: registry.url,
        STOWAGE_GIT_CONFIG: join(directory, 'gitconfig'),
      },
    });

  beforeAll(async () => {
    url = await createTestDatabase();
    directory = mkdtempSync(join(tmpdir(), 'stowage-prefetch-rubygems-'));
    registry = await startGemServer([
      makeGem('plain', '1.0'),
      makeGem('needs-plain', '2.0.1', { dependencies: { plain: '>= 1' } }),
    ]);
    dependency = new TestRepository({
      ...gemSource('git-gem', '4.2'),
      'lib/linked.rb': { link: 'git-gem.rb' },
      'exe/run': { executable: '#!/bin/sh\n' },
    });
    writeFileSync(
      join(directory, 'gitconfig'),
      `[url "file://${dependency.path}"]\n\tinsteadOf = ${GIT_URL}\n[safe]\n\tdirectory = *\n`,
    );
    project = new TestRepository({
      Gemfile: `source "https://rubygems.org"\ngem "needs-plain"\ngem "git-gem", git: "${GIT_URL}", branch: "main"\n`,
      'Gemfile.lock': gemfileLock({
        sections: [gitSection(GIT_URL, { revision: dependency.head, branch: 'main' }, ['git-gem (4.2)'])],
        gems: ['needs-plain (2.0.1)', '  plain (>= 1)', 'plain (1.0)'],
        dependencies: ['git-gem!', 'needs-plain'],
      }),
    });
    const made = await command('prefetch', project.path, '--output', join(directory, 'bundle.tar.gz'));
    expect(made).toMatchObject({ status: 0 });
    expect(made.stderr + made.stdout).toContain('rubygems at . (Gemfile, Gemfile.lock)');
  });

  afterAll(async () => {
    await registry.close();
    await dropTestDatabase(url);
    for (const path of [directory, dependency.path, project.path])
      rmSync(path, { recursive: true, force: true });
  });

  test('the bundle is what its manifest, SBOM and signed provenance say', async () => {
    const { status, stdout } = await command('verify', '--json', 'bundle.tar.gz');
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, sbom: { components: 4 }, problems: [] });
    expect(status).toBe(0);
  });

  test('Bundler installs from it without network', async () => {
    const bundle = join(directory, 'unpacked');
    mkdirSync(bundle);
    await run('tar', ['xzf', join(directory, 'bundle.tar.gz'), '-C', bundle]);
    await run('cp', ['-R', 'config/.', '.'], { cwd: bundle });
    const options = {
      cwd: join(bundle, 'app'),
      env: { PATH: process.env.PATH, HOME: directory, LANG: 'C.UTF-8' },
    };
    await run(...withoutNetwork('bundle', 'install', '--local'), options);
    const script = 'require "needs-plain"; require "git-gem"; require "linked"; puts NEEDS_PLAIN, GIT_GEM';
    const { stdout } = await run('bundle', ['exec', 'ruby', '-e', script], options);
    expect(stdout).toBe('2.0.1\n4.2\n');
  });

  test('a second run makes the same bundle and asks nobody', async () => {
    const hits = new Map(registry.hits);
    const again = await command('prefetch', project.path, '--output', join(directory, 'again.tar.gz'));
    expect(again).toMatchObject({ status: 0 });
    expect(registry.hits).toEqual(hits);
    await run('cmp', ['bundle.tar.gz', 'again.tar.gz'], { cwd: directory });
    await run('cmp', ['bundle.sbom.json', 'again.sbom.json'], { cwd: directory });
  });
});
