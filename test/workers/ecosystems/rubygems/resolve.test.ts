import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../../../src/domain/database/database.ts';
import type { Resolution } from '../../../../src/workers/ecosystems/ecosystem.ts';
import { rubygems } from '../../../../src/workers/ecosystems/rubygems/index.ts';
import { testDatabase } from '../../../support/database.ts';
import { type GemServer, gemSource, makeGem, startGemServer } from '../../../support/gem-server.ts';
import { gemfileLock, gitSection, pathSection } from '../../../support/gemfile-lock.ts';
import { TestRepository } from '../../../support/git-repository.ts';
import { MemoryBlobStore } from '../../../support/memory-blob-store.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { remoteGitTrees } from '../../../support/remote-git-trees.ts';
import {
  type ResolveContextOptions,
  resolveContext,
  temporaryDirectory,
} from '../../../support/resolve-context.ts';

const GIT_URL = 'https://git.example:8443/team/group/Tool.git';
const REF = 'c'.repeat(40);

let server: GemServer;
let plainServer: GemServer;
let database: Database;
let repository: TestRepository;
let commit: string;

beforeAll(async () => {
  const gems = [
    makeGem('plain', '1.0', { licenses: ['MIT', 'Ruby'] }),
    makeGem('needs-others', '3.0.0', { dependencies: { plain: '~> 1.0' }, licenses: [] }),
    makeGem('unlisted', '1.0', { sha256: null }),
  ];
  server = await startGemServer(gems);
  plainServer = await startGemServer(gems, { withoutIndex: true });
  database = await testDatabase();
  repository = new TestRepository({ 'README.md': 'older\n' });
  commit = repository.commit({
    ...gemSource('tool', '4.2'),
    'bin/tool': { executable: '#!/bin/sh\n' },
    'lib/inside.rb': { link: 'tool.rb' },
    'lib/outside.rb': { link: '../../../../secret' },
  });
});

afterAll(async () => {
  await Promise.all([server.close(), plainServer.close(), database.close()]);
  rmSync(repository.path, { recursive: true, force: true });
});

type Files = Parameters<typeof memorySourceTree>[0];

function prepare(files: Files, options: Partial<ResolveContextOptions> = {}) {
  const blobs = options.blobs ?? new MemoryBlobStore();
  return resolveContext({
    source: memorySourceTree(files),
    settings: { rubygemsSource: server.url },
    blobs,
    git: remoteGitTrees(database, blobs, { [GIT_URL]: repository.path }),
    ...options,
  });
}

const resolve = (files: Files, options: Partial<ResolveContextOptions> = {}): Promise<Resolution> =>
  rubygems.resolve(prepare(files, options).context);

const GEMS = ['needs-others (3.0.0)', '  plain (~> 1.0)', 'plain (1.0)'];
const WORK_TREE = () => `deps/rubygems/git.example/team/group/Tool/Tool-external-gitcommit-${commit}/app`;
const allKinds = (): Files => ({
  'web/site/Gemfile.lock': gemfileLock({
    sections: [
      gitSection(GIT_URL, { revision: commit, branch: 'release/1.x' }, [
        'tool (4.2)',
        'tool.extra-part (4.2)',
      ]),
      pathSection('engines/own/', ['own (0.1)']),
      pathSection('../../lib', ['above (0.2)']),
      pathSection('.', ['site (0.3)', '  plain']),
    ],
    gems: GEMS,
    dependencies: ['above!', 'needs-others', 'own!', 'site!', 'tool!', 'bundler (~> 2.0)'],
  }),
  'web/site/engines/own/own.gemspec': '',
  'lib/above.gemspec': '',
});
const inSite = { packages: [{ path: 'web/site' }] };

describe('the report', () => {
  test('of gems, git dependencies and gems of the source', async () => {
    const { packages } = await resolve(allKinds(), inSite);
    const dependency = (name: string, version: string) => ({
      type: 'rubygems',
      name,
      version,
      replaces: null,
    });
    expect(packages).toEqual([
      {
        type: 'rubygems',
        name: 'project/web/site',
        version: REF,
        path: 'web/site',
        dependencies: [
          dependency('above', './../../lib'),
          dependency('needs-others', '3.0.0'),
          dependency('own', './engines/own'),
          dependency('plain', '1.0'),
          dependency('site', './.'),
          dependency('tool', `git+${GIT_URL}@${commit}`),
          dependency('tool.extra-part', `git+${GIT_URL}@${commit}`),
        ],
      },
    ]);
  });

  test.each([
    ['https://git.example/team/project.git', 'project'],
    ['https://git.example/team/project/', 'project'],
    ['git@git.example:project.git', 'project'],
    [null, 'source'],
  ])('the name comes from the repository %s', async (repositoryUrl, name) => {
    const { packages } = await resolve(
      { 'Gemfile.lock': gemfileLock({}) },
      { request: { repository: repositoryUrl } },
    );
    expect(packages).toMatchObject([{ name, version: REF, path: '.', dependencies: [] }]);
  });

  test('an uploaded archive has the id of its tree for a version', async () => {
    const { packages } = await resolve(
      { 'Gemfile.lock': gemfileLock({}) },
      { request: { repository: null, commit: null } },
    );
    expect(packages).toMatchObject([{ version: 'd'.repeat(40) }]);
  });
});

describe('files', () => {
  const gems = ['deps/rubygems/needs-others/needs-others-3.0.0.gem', 'deps/rubygems/plain/plain-1.0.gem'];
  const cached = ['deps/rubygems-cache/needs-others-3.0.0.gem', 'deps/rubygems-cache/plain-1.0.gem'];

  test.each<[string, NonNullable<ResolveContextOptions['request']>, string[]]>([
    ['native rules', { rules: 'native' }, cached],
    ["Cachito's rules", { rules: 'cachito' }, []],
    ['the flag', { rules: 'cachito', flags: new Set(['offline-bundle'] as const) }, cached],
  ])('the flat folder is there with %s', async (_, request, expected) => {
    const { files, directories } = await resolve(
      { 'Gemfile.lock': gemfileLock({ gems: GEMS }) },
      { request },
    );
    expect(files.map(({ path }) => path)).toEqual([...expected, ...gems]);
    expect(directories).toEqual(['deps/rubygems', ...(expected.length > 0 ? ['deps/rubygems-cache'] : [])]);
  });

  test('a work tree with its git directory', async () => {
    const prepared = prepare(allKinds(), inSite);
    const { files, links } = await rubygems.resolve(prepared.context);
    const root = WORK_TREE();
    const below = files.filter(({ path }) => path.startsWith(`${root}/`));
    expect(below.map(({ path, mode }) => [path.slice(root.length + 1), mode.toString(8)])).toEqual([
      ['.git/HEAD', '644'],
      ['.git/config', '644'],
      ['.git/index', '644'],
      [`.git/objects/pack/pack-${commit}.idx`, '644'],
      [`.git/objects/pack/pack-${commit}.pack`, '644'],
      ['.git/refs/heads/release/1.x', '644'],
      ['.git/shallow', '644'],
      ['README.md', '644'],
      ['bin/tool', '755'],
      ['lib/tool.rb', '644'],
      ['tool.gemspec', '644'],
    ]);
    expect(links).toEqual([{ path: `${root}/lib/inside.rb`, target: 'tool.rb' }]);
    expect(prepared.lines).toContain(
      "warn: rubygems: the link lib/outside.rb is left out: The destination of 'lib/outside.rb' is outside of cloned repository",
    );
    const text = (name: string) => {
      const file = below.find(({ path }) => path === `${root}/${name}`)!;
      return prepared.blobs.blobs.get(file.digest)!.toString();
    };
    expect(text('.git/HEAD')).toBe('ref: refs/heads/release/1.x\n');
    expect(text('.git/refs/heads/release/1.x')).toBe(`${commit}\n`);
    expect(text('.git/config')).toBe(
      '[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n' +
        `[remote "origin"]\n\turl = "${GIT_URL}"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n`,
    );
  });

  test.each<[string, Record<string, string>, string, string[]]>([
    ['no name', {}, '<commit>', ['refs/stowage/commit']],
    ['a tag', { tag: 'v1.0' }, '<commit>', ['refs/tags/v1.0']],
    ['a short commit', { ref: '<short>' }, '<commit>', ['refs/stowage/commit']],
    ['another ref', { ref: 'refs/pull/1/head' }, '<commit>', ['refs/pull/1/head']],
    ['the name of a ref', { ref: 'stable' }, '<commit>', ['refs/tags/stable']],
    ['a branch', { branch: 'main' }, 'ref: refs/heads/main', ['refs/heads/main']],
  ])('what Bundler looks for is there: %s', async (_, options, head, refs) => {
    const named = Object.fromEntries(
      Object.entries(options).map(([key, value]) => [key, value.replace('<short>', commit.slice(0, 9))]),
    );
    const section = gitSection(GIT_URL, { revision: commit, ...named }, ['tool (4.2)']);
    const prepared = prepare({ 'Gemfile.lock': gemfileLock({ sections: [section] }) });
    const { files } = await rubygems.resolve(prepared.context);
    const inGit = files
      .map(({ path, digest }) => [path.split('/.git/')[1], prepared.blobs.blobs.get(digest)!.toString()])
      .filter(([name]) => name === 'HEAD' || name?.startsWith('refs/'));
    expect(inGit).toEqual([
      ['HEAD', `${head.replace('<commit>', commit)}\n`],
      ...refs.map((ref) => [ref, `${commit}\n`]),
    ]);
  });

  test('the same bytes from another cache, and no credentials', async () => {
    const withPassword = GIT_URL.replace('https://', 'https://user:pass-word@');
    const files = {
      'Gemfile.lock': gemfileLock({
        sections: [gitSection(withPassword, { revision: commit }, ['tool (4.2)'])],
      }),
    };
    const run = async () => {
      const blobs = new MemoryBlobStore();
      const git = remoteGitTrees(database, blobs, { [withPassword]: repository.path });
      const prepared = prepare(files, { blobs, git });
      const resolution = await rubygems.resolve(prepared.context);
      return { resolution, blobs, keys: [...prepared.artifacts.artifacts.keys()] };
    };
    const first = await run();
    expect((await run()).resolution).toEqual(first.resolution);
    const told = [
      JSON.stringify(first.resolution),
      ...first.keys,
      ...[...first.blobs.blobs.values()].map(String),
    ];
    expect(told.filter((text) => text.includes('pass-word'))).toEqual([]);
    expect(first.resolution.packages[0]!.dependencies).toMatchObject([
      { version: `git+${GIT_URL}@${commit}` },
    ]);
    const head = first.resolution.files.find(({ path }) => path.endsWith('.git/HEAD'))!;
    expect(first.blobs.blobs.get(head.digest)!.toString()).toBe(`${commit}\n`);
  });
});

describe('configuration', () => {
  const rules =
    'BUNDLE_FORCE_RUBY_PLATFORM: "true"\nBUNDLE_DEPLOYMENT: "true"\nBUNDLE_FROZEN: "true"\n' +
    'BUNDLE_DISABLE_LOCAL_BRANCH_CHECK: "true"\n';
  const setup = async (form: 'offline' | 'registry', ...args: Parameters<typeof resolve>) => {
    const { environment, configurationFiles } = (await resolve(...args))[form];
    expect(environment).toEqual([]);
    return configurationFiles.map(({ path, content }) => [path, content.toString()]);
  };

  test('offline', async () => {
    expect(await setup('offline', { 'Gemfile.lock': gemfileLock({ gems: GEMS }) })).toEqual([
      ['app/.bundle/config', `---\nBUNDLE_CACHE_PATH: "../deps/rubygems-cache"\n${rules}`],
    ]);
    const local = `../../../${WORK_TREE()}`;
    expect(await setup('offline', allKinds(), inSite)).toEqual([
      [
        'app/web/site/.bundle/config',
        `---\nBUNDLE_CACHE_PATH: "../../../deps/rubygems-cache"\n${rules}` +
          `BUNDLE_LOCAL__TOOL: "${local}"\nBUNDLE_LOCAL__TOOL__EXTRA___PART: "${local}"\n`,
      ],
    ]);
  });

  test('with the registry of the request', async () => {
    expect(await setup('registry', allKinds(), inSite)).toEqual([
      [
        'app/web/site/.bundle/config',
        '---\nBUNDLE_MIRROR__ALL: "{stowage-registry:rubygems-hosted:url-with-credentials}"\n' +
          `BUNDLE_MIRROR__ALL__FALLBACK_TIMEOUT: "false"\n${rules}` +
          `BUNDLE_LOCAL__TOOL: "../../../${WORK_TREE()}"\n` +
          `BUNDLE_LOCAL__TOOL__EXTRA___PART: "../../../${WORK_TREE()}"\n`,
      ],
    ]);
  });
});

test("the registry form brings the CA of the operator's certificate", async () => {
  const registryCaFile = join(temporaryDirectory(), 'ca.pem');
  writeFileSync(registryCaFile, 'a certificate\n');
  const settings = { rubygemsSource: server.url, registryCaFile };
  const files = { 'web/site/Gemfile.lock': gemfileLock({}) };
  const { registry, offline } = await resolve(files, { ...inSite, settings });
  const texts = registry.configurationFiles.map(({ path, content }) => [path, content.toString()]);
  expect(texts).toEqual([
    ['app/web/site/.bundle/config', expect.stringContaining('BUNDLE_SSL_CA_CERT: "../../registry-ca.pem"\n')],
    ['app/registry-ca.pem', 'a certificate\n'],
  ]);
  expect(offline.configurationFiles.map(({ path }) => path)).toEqual(['app/web/site/.bundle/config']);
});

describe('the SBOM', () => {
  test('has the graph of the lock file', async () => {
    const { components } = await resolve(allKinds(), inSite);
    const vcs = `vcs_url=git%2Bhttps%3A%2F%2Fgit.example%2Fteam%2Fproject.git%40${REF}`;
    const graph = Object.fromEntries(components.map(({ ref, dependsOn }) => [ref, dependsOn]));
    const tool = `pkg:gem/tool@4.2?vcs_url=git%2Bhttps%3A%2F%2Fgit.example%3A8443%2Fteam%2Fgroup%2FTool.git%40${commit}`;
    expect(graph).toEqual({
      [`pkg:gem/above@0.2?${vcs}#lib`]: [],
      'pkg:gem/needs-others@3.0.0': ['pkg:gem/plain@1.0'],
      [`pkg:gem/own@0.1?${vcs}#web/site/engines/own`]: [],
      'pkg:gem/plain@1.0': [],
      [`pkg:gem/project%2Fweb%2Fsite@${REF}?${vcs}#web/site`]: [
        `pkg:gem/above@0.2?${vcs}#lib`,
        'pkg:gem/needs-others@3.0.0',
        `pkg:gem/own@0.1?${vcs}#web/site/engines/own`,
        `pkg:gem/site@0.3?${vcs}#web/site`,
        tool,
      ],
      [`pkg:gem/site@0.3?${vcs}#web/site`]: ['pkg:gem/plain@1.0'],
      [tool]: [],
      [tool.replace('tool@', 'tool.extra-part@')]: [],
    });
  });

  test('tells what is known of a gem', async () => {
    const { components } = await resolve({
      'Gemfile.lock': gemfileLock({
        gems: GEMS,
        checksums: [`plain (1.0) sha256=${server.digest('plain')}`],
      }),
    });
    expect(components.find(({ name }) => name === 'plain')).toEqual({
      ref: 'pkg:gem/plain@1.0',
      purl: 'pkg:gem/plain@1.0',
      type: 'library',
      name: 'plain',
      version: '1.0',
      isSourcePackage: false,
      hashes: { sha256: server.digest('plain') },
      distributionUrl: 'https://rubygems.org/gems/plain-1.0.gem',
      license: 'MIT OR Ruby',
      bundlePaths: ['deps/rubygems/plain/plain-1.0.gem'],
      properties: {},
      dependsOn: [],
    });
    expect(components.find(({ name }) => name === 'needs-others')).toMatchObject({
      hashes: { sha256: server.digest('needs-others') },
      properties: { 'stowage:missing_hash:in_file': 'Gemfile.lock' },
    });
  });
});

describe('fetching', () => {
  test('once for several lock files', async () => {
    const before = server.hits.get('gems/plain-1.0.gem') ?? 0;
    const { packages, files } = await resolve(
      { 'a/Gemfile.lock': gemfileLock({ gems: GEMS }), 'b/Gemfile.lock': gemfileLock({ gems: GEMS }) },
      { packages: [{ path: 'a' }, { path: 'b' }] },
    );
    expect(packages.map(({ name }) => name)).toEqual(['project/a', 'project/b']);
    expect(files).toHaveLength(4);
    expect(server.hits.get('gems/plain-1.0.gem')).toBe(before + 1);
  });

  test('lock files that disagree about a checksum are not both right', async () => {
    const lock = (hex: string) =>
      gemfileLock({ gems: ['plain (1.0)'], checksums: [`plain (1.0) sha256=${hex}`] });
    const files = { 'a/Gemfile.lock': lock(server.digest('plain')), 'b/Gemfile.lock': lock('ab'.repeat(32)) };
    const packages = [{ path: 'a' }, { path: 'b' }];
    await expect(resolve(files, { packages })).rejects.toMatchObject({ code: 'checksum-mismatch' });
  });

  test('a repeated request asks nobody', async () => {
    const first = prepare(allKinds(), inSite);
    const before = await rubygems.resolve(first.context);
    const hits = new Map(server.hits);
    const git = remoteGitTrees(database, first.blobs, {});
    const again = prepare(allKinds(), { ...inSite, git, artifacts: first.artifacts, blobs: first.blobs });
    expect(await rubygems.resolve(again.context)).toEqual(before);
    expect(server.hits).toEqual(hits);
  });

  test('without a checksum when nobody knows one', async () => {
    for (const settings of [{ rubygemsSource: server.url }, { rubygemsSource: plainServer.url }]) {
      const prepared = prepare({ 'Gemfile.lock': gemfileLock({ gems: ['unlisted (1.0)'] }) }, { settings });
      const { files } = await rubygems.resolve(prepared.context);
      expect(files).toHaveLength(2);
      expect(prepared.lines).toContain('warn: rubygems: no checksum is known of unlisted-1.0.gem');
    }
  });

  test('from a registry that the operator configured, under native rules', async () => {
    const files = { 'Gemfile.lock': gemfileLock({ gems: ['plain (1.0)'], remote: server.url }) };
    expect((await resolve(files)).files).toHaveLength(2);
    await expect(resolve(files, { request: { rules: 'cachito' } })).rejects.toThrow(
      'Cachito supports only https://rubygems.org/ as a remote for Ruby GEM dependencies.',
    );
  });

  test('ends with the request', async () => {
    const cancelled = new AbortController();
    cancelled.abort(new Error('cancelled'));
    await expect(
      resolve({ 'Gemfile.lock': gemfileLock({ gems: GEMS }) }, { signal: cancelled.signal }),
    ).rejects.toThrow('cancelled');
  });
});

test('detection', async () => {
  const source = memorySourceTree({
    Gemfile: '',
    'Gemfile.lock': '',
    'web/Gemfile': '',
    'web/Gemfile.lock': '',
    'only-lock/Gemfile.lock': '',
    'only-gemfile/Gemfile': '',
    '.hidden/Gemfile': '',
    '.hidden/Gemfile.lock': '',
  });
  expect(await rubygems.detect(source)).toEqual([
    { options: { path: '.' }, evidence: ['Gemfile', 'Gemfile.lock'] },
    { options: { path: 'web' }, evidence: ['web/Gemfile', 'web/Gemfile.lock'] },
  ]);
});
