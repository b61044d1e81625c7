import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestFailure } from '../../../../src/domain/errors.ts';
import type { ArtifactRequest } from '../../../../src/workers/downloads/artifact-store.ts';
import { npm } from '../../../../src/workers/ecosystems/npm/index.ts';
import { DEFAULT_REGISTRY } from '../../../../src/workers/javascript-packages/registries.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import {
  lockFileOf,
  makeTarball,
  manyPackages,
  type NpmRegistry,
  startNpmRegistry,
} from '../../../support/npm-registry.ts';
import { type ResolveContextOptions, resolveContext } from '../../../support/resolve-context.ts';

const PUBLIC = DEFAULT_REGISTRY;
const COMMIT = 'ab'.repeat(20);
const MANIFEST = JSON.stringify({ name: 'application', version: '1.0.0' });

let registry: NpmRegistry;
let files: NpmRegistry;
beforeAll(async () => {
  registry = await startNpmRegistry([
    { name: 'a', version: '1.0.0' },
    { name: 'a', version: '2.0.0' },
    { name: '@s/b', version: '1.0.0' },
  ]);
  files = await startNpmRegistry([{ name: '@s/url', version: '1.5.0', manifest: { license: 'ISC' } }]);
});
afterAll(async () => {
  await registry.close();
  await files.close();
});

function lockFile(packages: Record<string, unknown>, root: object = {}) {
  return JSON.stringify({
    name: 'application',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: { '': { name: 'application', version: '1.0.0', ...root }, ...packages },
  });
}

function prepare(lock: string, options: Partial<ResolveContextOptions> = {}) {
  return resolveContext({
    source: memorySourceTree({ 'package.json': MANIFEST, 'package-lock.json': lock }),
    settings: { npmRegistry: registry.url.slice(0, -1) },
    ...options,
  });
}

async function failureOf(work: Promise<unknown>): Promise<RequestFailure> {
  return work.then(
    () => {
      throw new Error('It did not fail');
    },
    (error) => error,
  );
}

const item = (name: string, version: string) => ({
  version,
  integrity: registry.find(name, version).integrity,
});

describe('required and forbidden files', () => {
  const LOCK = lockFile({});
  test.for<[string, Record<string, string>, string, string | null]>([
    [
      'nothing',
      { 'x/y': '' },
      '.',
      'The npm-shrinkwrap.json or package-lock.json file must be present for the npm package manager',
    ],
    [
      'nothing at a path',
      { 'x/y': '' },
      'client',
      'The client/npm-shrinkwrap.json or client/package-lock.json file must be present for the npm package manager',
    ],
    [
      'no package.json',
      { 'package-lock.json': LOCK },
      '.',
      'The package.json file must be present for the npm package manager',
    ],
    [
      'no package.json at a path',
      { 'client/package-lock.json': LOCK },
      'client',
      'The client/package.json file must be present for the npm package manager',
    ],
    [
      'node_modules',
      { 'package-lock.json': LOCK, 'package.json': '{}', 'node_modules/a': '' },
      '.',
      'The node_modules directory cannot be present in the source repository',
    ],
    [
      'node_modules elsewhere',
      { 'package-lock.json': LOCK, 'package.json': '{}', 'x/node_modules/a': '' },
      '.',
      null,
    ],
    [
      'a directory for a lock file',
      { 'package-lock.json/x': '', 'package.json': '{}' },
      '.',
      'The npm-shrinkwrap.json or package-lock.json file must be present for the npm package manager',
    ],
  ])('%s', async ([, source, path, message]) => {
    const { context } = resolveContext({ source: memorySourceTree(source), packages: [{ path }] });
    const work = npm.resolve(context);
    if (message === null) {
      await work;
      return;
    }
    const failure = await failureOf(work);
    expect([failure.name, failure.origin, failure.message]).toEqual([
      'InvalidRepoStructure',
      'client',
      message,
    ]);
  });

  test('all paths are checked before any lock file is read', async () => {
    const source = memorySourceTree({
      'package.json': MANIFEST,
      'package-lock.json': 'broken',
      'b/package.json': '{}',
    });
    const { context } = resolveContext({ source, packages: [{ path: '.' }, { path: 'b' }] });
    expect((await failureOf(npm.resolve(context))).message).toBe(
      'The b/npm-shrinkwrap.json or b/package-lock.json file must be present for the npm package manager',
    );
  });

  test('a package.json that is not JSON', async () => {
    const source = memorySourceTree({ 'package.json': '[]', 'package-lock.json': lockFile({}) });
    const failure = await failureOf(npm.resolve(resolveContext({ source }).context));
    expect([failure.name, failure.message]).toEqual([
      'ValidationError',
      'The file package.json has an unexpected format (not a JSON object)',
    ]);
  });

  test('npm-shrinkwrap.json wins', async () => {
    const source = memorySourceTree({
      'package.json': MANIFEST,
      'package-lock.json': lockFile({ 'node_modules/a': item('a', '1.0.0') }),
      'npm-shrinkwrap.json': lockFile({ 'node_modules/a': item('a', '2.0.0') }),
    });
    const { packages, offline } = await npm.resolve(prepare('', { source }).context);
    expect(packages[0]!.dependencies.map(({ version }) => version)).toEqual(['2.0.0']);
    expect(offline.configurationFiles[0]!.path).toBe('app/npm-shrinkwrap.json');
  });

  test('a lock file beyond the cap is not read', async () => {
    const prepared = prepare(lockFile({}));
    const settings = { ...prepared.context.settings };
    settings.limits = { ...settings.limits, lockFileBytes: 10 };
    expect((await failureOf(npm.resolve({ ...prepared.context, settings }))).message).toBe(
      'The file package-lock.json is larger than 10 bytes',
    );
  });

  test('more dependencies than allowed are refused before anything is fetched', async () => {
    const prepared = prepare(
      lockFile({ 'node_modules/a': item('a', '1.0.0'), 'node_modules/@s/b': item('@s/b', '1.0.0') }),
    );
    const settings = { ...prepared.context.settings };
    settings.limits = { ...settings.limits, dependencies: 1 };
    expect((await failureOf(npm.resolve({ ...prepared.context, settings }))).message).toBe(
      'The lock files name 2 dependencies, more than 1',
    );
    expect(prepared.artifacts.batches).toEqual([]);
  });
});

describe('registry dependencies', () => {
  test('layout, report, environment and the rewritten lock file', async () => {
    const lock = lockFile({
      'node_modules/@s/b': { ...item('@s/b', '1.0.0'), resolved: `${PUBLIC}@s/b/-/b-1.0.0.tgz`, dev: true },
      'node_modules/a': { ...item('a', '1.0.0'), dev: true },
      'node_modules/x': { name: 'a', ...item('a', '1.0.0') },
      'node_modules/x/node_modules/inner': { version: '3.0.0', inBundle: true },
    });
    const { context, artifacts, lines } = prepare(lock);
    const result = await npm.resolve(context);

    expect(result.packages).toEqual([
      {
        type: 'npm',
        name: 'application',
        version: '1.0.0',
        path: '.',
        dependencies: [
          { type: 'npm', name: '@s/b', version: '1.0.0', dev: true, replaces: null },
          { type: 'npm', name: 'a', version: '1.0.0', dev: false, replaces: null },
          { type: 'npm', name: 'inner', version: '3.0.0', dev: false, replaces: null },
        ],
      },
    ]);
    expect(result.files.map(({ path, mode, digest }) => [path, mode, digest])).toEqual([
      ['deps/npm/@s/b/s-b-1.0.0.tgz', 0o644, `sha256:${registry.find('@s/b').sha256}`],
      ['deps/npm/a/a-1.0.0.tgz', 0o644, `sha256:${registry.find('a', '1.0.0').sha256}`],
    ]);
    expect([result.directories, result.sourceChanges, result.tools]).toEqual([['deps/npm'], [], {}]);
    expect(result.offline.environment).toEqual([
      { name: 'CHROMEDRIVER_SKIP_DOWNLOAD', value: 'true', kind: 'literal' },
      { name: 'CYPRESS_INSTALL_BINARY', value: '0', kind: 'literal' },
      { name: 'GECKODRIVER_SKIP_DOWNLOAD', value: 'true', kind: 'literal' },
      { name: 'SKIP_SASS_BINARY_DOWNLOAD_FOR_CI', value: 'true', kind: 'literal' },
    ]);
    const expected = JSON.parse(lock);
    expected.packages['node_modules/@s/b'].resolved = 'file:../deps/npm/@s/b/s-b-1.0.0.tgz';
    expected.packages['node_modules/a'].resolved = 'file:../deps/npm/a/a-1.0.0.tgz';
    expected.packages['node_modules/x'].resolved = 'file:../deps/npm/a/a-1.0.0.tgz';
    expect(result.offline.configurationFiles.map(({ path, content }) => [path, content.toString()])).toEqual([
      ['app/package-lock.json', JSON.stringify(expected, null, 2)],
      ['app/.npmrc', 'fetch-retries=5\nfetch-retry-factor=2\nstrict-ssl=true\n'],
    ]);
    expect(artifacts.batches).toEqual([2]);
    expect(artifacts.fetched.map(({ key, url }) => [key, url])).toEqual([
      [`npm:${registry.url}:@s/b@1.0.0`, `${PUBLIC}@s/b/-/b-1.0.0.tgz`],
      [`npm:${registry.url}:a@1.0.0`, `${PUBLIC}a/-/a-1.0.0.tgz`],
    ]);
    expect(lines).toEqual(['info: npm: 4 dependencies in package-lock.json']);
  });

  test('several packages share what they have in common', async () => {
    const lock = lockFile({ 'node_modules/a': item('a', '1.0.0') });
    const source = memorySourceTree({
      'package.json': MANIFEST,
      'package-lock.json': lock,
      'web/client/package.json': MANIFEST,
      'web/client/package-lock.json': lock.replaceAll('application', 'client'),
    });
    const { context, artifacts } = prepare('', { source, packages: [{ path: '.' }, { path: 'web/client' }] });
    const { packages, files, offline } = await npm.resolve(context);
    expect(packages.map(({ name, path }) => [name, path])).toEqual([
      ['application', '.'],
      ['client', 'web/client'],
    ]);
    expect([artifacts.fetched.length, files.length]).toEqual([1, 1]);
    const second = offline.configurationFiles.find(({ path }) => path === 'app/web/client/package-lock.json');
    expect(JSON.parse(second!.content.toString()).packages['node_modules/a'].resolved).toBe(
      'file:../../../deps/npm/a/a-1.0.0.tgz',
    );
  });

  test('rewriting keeps order, odd keys and deep values', async () => {
    const deep = `${'['.repeat(1900)}${']'.repeat(1900)}`;
    const lock = `{"packages":{"":{"z":1,"a":2},"node_modules/a":{"__proto__":{"x":1},"version":"1.0.0"}},"deep":${deep},
      "version":"1.0.0","lockfileVersion":3,"name":"application"}`;
    const { offline } = await npm.resolve(prepare(lock).context);
    const text = offline.configurationFiles[0]!.content.toString();
    expect(text.slice(0, text.indexOf('"deep"')).replace(/\s+/g, '')).toBe(
      '{"packages":{"":{"z":1,"a":2},"node_modules/a":{"__proto__":{"x":1},"version":"1.0.0",' +
        '"resolved":"file:../deps/npm/a/a-1.0.0.tgz"}},',
    );
    expect(text.endsWith('"name": "application"\n}')).toBe(true);
  });

  test('nothing to fetch: no lock file among the configuration files', async () => {
    const { files, directories, offline } = await npm.resolve(prepare(lockFile({})).context);
    expect([files, directories]).toEqual([[], ['deps/npm']]);
    expect(offline.configurationFiles.map(({ path }) => path)).toEqual(['app/.npmrc']);
  });

  test('a second request fetches nothing', async () => {
    const lock = lockFile({ 'node_modules/a': item('a', '1.0.0') });
    const first = prepare(lock);
    const before = await npm.resolve(first.context);
    const second = prepare(lock, { artifacts: first.artifacts, blobs: first.blobs });
    expect(await npm.resolve(second.context)).toEqual(before);
    expect(first.artifacts.fetched.length).toBe(1);
  });

  test('other bytes than the lock file says', async () => {
    const broken = await startNpmRegistry([{ name: 'a', version: '1.0.0' }]);
    broken.fail('a@1.0.0', { body: Buffer.from('other') });
    const settings = { npmRegistry: broken.url.slice(0, -1) };
    const { context } = prepare(lockFile({ 'node_modules/a': item('a', '1.0.0') }), { settings });
    const failure = await failureOf(npm.resolve(context));
    const actual = createHash('sha512').update('other').digest('hex');
    expect([failure.name, failure.code, failure.message]).toEqual([
      'InvalidChecksum',
      'checksum-mismatch',
      `The file a-1.0.0.tgz has an unexpected checksum value, expected ${registry.find('a', '1.0.0').sha512} but computed ${actual}`,
    ]);
    await broken.close();
  });

  test('two entries for one file are both verified', async () => {
    const { sha1, integrity } = registry.find('a', '1.0.0');
    const weak = `sha1-${Buffer.from(sha1, 'hex').toString('base64')}`;
    const entries = (second: string) =>
      lockFile({
        'node_modules/a': { version: '1.0.0', integrity },
        'node_modules/@s/b': item('@s/b', '1.0.0'),
        'node_modules/@s/b/node_modules/a': { version: '1.0.0', integrity: second },
      });
    await npm.resolve(prepare(entries(weak)).context);
    const wrong = `sha1-${Buffer.alloc(20).toString('base64')}`;
    expect((await failureOf(npm.resolve(prepare(entries(wrong)).context))).message).toBe(
      `The file a-1.0.0.tgz has an unexpected checksum value, expected ${'0'.repeat(40)} but computed ${sha1}`,
    );
  });

  test('no integrity: a page that says 200 is not the package, and is not kept as if it were', async () => {
    const lock = lockFile({ 'node_modules/a': { version: '1.0.0' } });
    registry.fail('a@1.0.0', { times: 1, body: Buffer.from('<!doctype html><title>Maintenance</title>') });
    const { context } = prepare(lock);
    await expect(npm.resolve(context)).rejects.toMatchObject({
      name: 'ValidationError',
      code: 'package-rejected',
      message: 'The file a-1.0.0.tgz is not a package: it is no archive',
    });
    expect((await npm.resolve(context)).components.map(({ name }) => name)).toContain('a');
  });

  test('no integrity: fetched and flagged, refused when integrity is strict', async () => {
    const lock = lockFile({ 'node_modules/a': { version: '1.0.0' } });
    const { context, lines } = prepare(lock);
    const { components } = await npm.resolve(context);
    expect(components.find(({ name }) => name === 'a')!.properties).toEqual({
      'stowage:missing_hash:in_file': 'package-lock.json',
    });
    expect(lines).toContain('warn: npm: a@1.0.0 has no integrity in the lock file');
    const strict = prepare(lock, { request: { strictIntegrity: true } });
    const failure = await failureOf(npm.resolve(strict.context));
    expect([failure.code, failure.message]).toEqual([
      'missing-checksum',
      'The dependency a@1.0.0 is missing the integrity value. Is the "integrity" key missing in your lockfile?',
    ]);
    expect(strict.artifacts.batches).toEqual([]);
  });

  test("the repository's .npmrc is named in the log without its values", async () => {
    const source = memorySourceTree({
      'package.json': MANIFEST,
      'package-lock.json': lockFile({}),
      '.npmrc': '# note\nregistry=https://u:secret@r.example/\n//r.example/:_authToken=secret\nsecret\n',
    });
    const { context, lines } = resolveContext({ source });
    await npm.resolve(context);
    expect(lines).toContain(
      'warn: npm: .npmrc of the repository is not used; its lines are dropped: registry=***, //r.example/:_authToken=***, ***',
    );
  });
});

describe('git and URL dependencies', () => {
  const gitTree = (manifest: object, more: Record<string, string> = {}) =>
    memorySourceTree({ 'package.json': JSON.stringify(manifest), 'index.js': '1', ...more });
  const SOURCE = `git+https://git.example/ns/dep.git#${COMMIT}`;
  const trees = (tree: ReturnType<typeof memorySourceTree>) => ({
    [`https://git.example/ns/dep.git#${COMMIT}`]: tree,
    [`https://github.com/ns/dep.git#${COMMIT}`]: tree,
  });
  const gitLock = (resolved = SOURCE) => lockFile({ 'node_modules/dep': { version: '4.0.0', resolved } });

  test('paths in the bundle and reported versions', async () => {
    const url = `${files.url}${files.find('@s/url').path}`;
    const { integrity, sha512, sha256 } = files.find('@s/url');
    const lock = JSON.stringify({
      name: 'application',
      version: '1.0.0',
      lockfileVersion: 1,
      dependencies: {
        dep: { version: SOURCE, from: SOURCE },
        short: { version: `github:ns/dep#${COMMIT}`, from: 'github:ns/dep' },
        '@s/url': { version: url, integrity, requires: { dep: SOURCE } },
      },
    });
    const source = memorySourceTree({
      'package.json': JSON.stringify({
        name: 'application',
        dependencies: { '@s/url': url },
        devDependencies: { dep: SOURCE },
      }),
      'package-lock.json': lock,
    });
    const { context } = prepare('', {
      source,
      trees: trees(gitTree({ name: 'dep', version: '4.0.0', license: 'MIT' })),
    });
    const result = await npm.resolve(context);
    expect(result.packages[0]!.dependencies.map(({ name, version }) => [name, version])).toEqual([
      ['@s/url', url],
      ['dep', SOURCE],
      ['short', `github:ns/dep#${COMMIT}`],
    ]);
    expect(result.files.map(({ path }) => path)).toEqual([
      `deps/npm/external-@s/url/s-url-1.5.0-external-sha512-${sha512}.tgz`,
      `deps/npm/external-dep/dep-4.0.0-external-gitcommit-${COMMIT}.tgz`,
      `deps/npm/github/ns/dep/short-4.0.0-external-gitcommit-${COMMIT}.tgz`,
    ]);
    const [manifest, rewritten] = result.offline.configurationFiles.map(({ content }) => content.toString());
    expect(manifest).toBe(
      JSON.stringify(
        {
          name: 'application',
          dependencies: { '@s/url': `1.5.0-external-sha512-${sha512}` },
          devDependencies: { dep: `4.0.0-external-gitcommit-${COMMIT}` },
        },
        null,
        2,
      ),
    );
    const dependencies = JSON.parse(rewritten!).dependencies;
    expect(Object.keys(dependencies)).toEqual(['dep', 'short', '@s/url']);
    expect(dependencies.dep).toEqual({
      version: `4.0.0-external-gitcommit-${COMMIT}`,
      resolved: `file:../deps/npm/external-dep/dep-4.0.0-external-gitcommit-${COMMIT}.tgz`,
      integrity: expect.stringMatching(/^sha512-/),
    });
    expect(dependencies['@s/url'].requires).toEqual({ dep: `4.0.0-external-gitcommit-${COMMIT}` });
    const rows = new Map(result.components.map((row) => [row.name, row]));
    expect(rows.get('dep')).toMatchObject({
      purl: `pkg:npm/dep@4.0.0?vcs_url=${encodeURIComponent(`git+https://git.example/ns/dep.git@${COMMIT}`)}`,
      version: '4.0.0',
      license: 'MIT',
    });
    expect(rows.get('@s/url')).toMatchObject({
      license: 'ISC',
      hashes: { sha256, sha512 },
      distributionUrl: url,
    });
    expect(rows.get('@s/url')!.purl).toContain(`?checksum=sha512%3A${sha512}&download_url=`);
  });

  test('a repacked tarball has the same bytes on every run, and is made once', async () => {
    const tree = gitTree(
      { name: 'dep', version: '4.0.0', files: ['index.js'] },
      { 'README.md': 'x', 'test/x.js': '1' },
    );
    const first = prepare(gitLock(), { trees: trees(tree) });
    const second = prepare(gitLock(), { trees: trees(tree) });
    const [one, two] = [await npm.resolve(first.context), await npm.resolve(second.context)];
    expect(one).toEqual(two);
    expect(one.files[0]!.digest).toMatch(/^sha256:/);
    const again = prepare(gitLock(), { artifacts: first.artifacts, blobs: first.blobs });
    expect((await npm.resolve(again.context)).files).toEqual(one.files);
  });

  test.for<[string, ReturnType<typeof memorySourceTree> | null, string, string]>([
    [
      'prepare',
      gitTree({ version: '1.0.0', scripts: { prepare: 'x' } }),
      'UnsupportedFeature',
      `The dependency dep@${SOURCE} is not supported because Cachito cannot execute the following required scripts of Git dependencies: prepack, prepare`,
    ],
    [
      'prepack',
      gitTree({ version: '1.0.0', scripts: { prepack: 'x' } }),
      'UnsupportedFeature',
      `The dependency dep@${SOURCE} is not supported because Cachito cannot execute the following required scripts of Git dependencies: prepack, prepare`,
    ],
    ['no repository', null, 'RepositoryAccessError', `Failed to clone dep@${SOURCE}`],
    [
      'no package.json',
      memorySourceTree({ x: '' }),
      'FileAccessError',
      `Could not process dependency dep@${SOURCE}: no package.json file`,
    ],
    [
      'a link',
      memorySourceTree({ 'package.json': { link: 'x' }, x: '{}' }),
      'FileAccessError',
      `Could not process dependency dep@${SOURCE}: package.json is not a regular file`,
    ],
    [
      'not JSON',
      memorySourceTree({ 'package.json': '{' }),
      'FileAccessError',
      `Could not process dependency dep@${SOURCE}: package.json is not valid JSON`,
    ],
    [
      'a climbing version',
      gitTree({ version: '../../x' }),
      'FileAccessError',
      `Could not process dependency dep@${SOURCE}: package.json has no valid version`,
    ],
  ])('refused: %s', async ([, tree, type, message]) => {
    const failure = await failureOf(
      npm.resolve(prepare(gitLock(), { trees: tree ? trees(tree) : {} }).context),
    );
    expect([failure.name, failure.message]).toEqual([type, message]);
  });

  test.for(['github:../etc', 'github:ns/..', 'github:ns', 'gitlab:a/../../b'])(
    'refused: %s',
    async (shorthand) => {
      const { context } = prepare(gitLock(`${shorthand}#${COMMIT}`), {
        trees: trees(gitTree({ version: '1.0.0' })),
      });
      const failure = await failureOf(npm.resolve(context));
      expect(['ValidationError', 'InvalidFileFormat', 'RepositoryAccessError']).toContain(failure.name);
    },
  );

  test('a tarball that is not there', async () => {
    const url = `${files.url}none.tgz`;
    const lock = lockFile({
      'node_modules/dep': { version: '1.0.0', resolved: url, integrity: registry.find('a').integrity },
    });
    const failure = await failureOf(npm.resolve(prepare(lock).context));
    expect([failure.name, failure.message]).toEqual([
      'NetworkError',
      `Failed to download the npm dependency dep@${url}`,
    ]);
  });

  test.for<[string, Buffer, RegExp]>([
    [
      'a climbing member',
      makeTarball({ '../../x': 'x', 'package.json': '{"version":"1.0.0"}' }),
      /the archive has the unsafe member "package\/\.\.\/\.\.\/x"$/,
    ],
    ['no archive', Buffer.from('text'), /: (the archive cannot be unpacked: .*|no package\.json file)$/],
    [
      'a bomb',
      makeTarball({ 'package.json': '{"version":"1.0.0"}', zeros: '0'.repeat(40_000_000) }),
      /the archive unpacks to too much$/,
    ],
    ['no package.json', makeTarball({ x: 'x' }), /: no package\.json file$/],
  ])('refused tarball: %s', async ([, body, message]) => {
    const sri = `sha256-${createHash('sha256').update(body).digest('base64')}`;
    files.publish({ name: 'hostile', version: '1.0.0' }).tarball = body;
    const url = `${files.url}hostile/-/hostile-1.0.0.tgz`;
    const { context } = prepare(
      lockFile({ 'node_modules/dep': { version: '1.0.0', resolved: url, integrity: sri } }),
    );
    const failure = await failureOf(npm.resolve(context));
    expect(failure.name).toBe('FileAccessError');
    expect(failure.message).toMatch(message);
  });

  test('two files that would share a path', async () => {
    const lock = lockFile({
      'node_modules/dep': { version: '4.0.0', resolved: SOURCE },
      'node_modules/a/node_modules/dep': { version: '4.0.0', resolved: SOURCE.replace('/ns/', '/fork/') },
    });
    const { context, lines } = prepare(lock, {
      trees: {
        ...trees(gitTree({ version: '4.0.0' })),
        [`https://git.example/fork/dep.git#${COMMIT}`]: gitTree({ version: '4.0.0' }, { 'x.js': '2' }),
      },
    });
    const failure = await failureOf(npm.resolve(context));
    expect(failure.name).toBe('ValidationError');
    expect(lines.at(-1)).toBe(
      `warn: dep@${SOURCE} and dep@${SOURCE.replace('/ns/', '/fork/')} have the same path in the bundle: ` +
        `deps/npm/external-dep/dep-4.0.0-external-gitcommit-${COMMIT}.tgz`,
    );
  });

  test('nothing starts after the request was cancelled', async () => {
    const cancelled = AbortSignal.abort(new Error('cancelled'));
    const { context, artifacts } = prepare(gitLock(), {
      signal: cancelled,
      trees: trees(gitTree({ version: '1.0.0' })),
    });
    expect((await failureOf(npm.resolve(context))).message).toBe('cancelled');
    expect(artifacts.artifacts.size).toBe(0);
  });
});

test('entries without resolved: all of this repository is planned as one batch, from its own lock file', async () => {
  const source = memorySourceTree({
    'package.json': readFileSync('package.json'),
    'package-lock.json': readFileSync('package-lock.json'),
  });
  const prepared = resolveContext({ source, settings: { npmRegistry: 'https://mirror.example' } });
  const asked: ArtifactRequest[] = [];
  prepared.artifacts.fetchAll = async (requests) => {
    asked.push(...requests);
    return requests.map(({ key, url, expected }) => {
      const digests = Object.fromEntries(expected.map(({ algorithm, hex }) => [algorithm, hex]));
      const sha256 = createHash('sha256').update(key).digest('hex');
      return {
        key,
        url,
        ...prepared.blobs.put(Buffer.from(key)),
        digests: { ...digests, sha256 },
        metadata: null,
        cached: false,
      };
    });
  };
  const { packages, files: made } = await npm.resolve(prepared.context);
  const locked = Object.keys(JSON.parse(readFileSync('package-lock.json', 'utf8')).packages).length - 1;
  expect(packages[0]!.name).toBe('stowage');
  expect(asked.length).toBe(new Set(asked.map(({ key }) => key)).size);
  expect(asked.length).toBe(packages[0]!.dependencies.length);
  expect(made.length).toBe(asked.length);
  expect(asked.length).toBeGreaterThan(locked * 0.8);
  expect(
    asked.every(
      ({ url, upstream }) => url.startsWith(PUBLIC) && upstream!.url.startsWith('https://mirror.example/'),
    ),
  ).toBe(true);
});

test('1,400 packages are one batch', async () => {
  const many = await startNpmRegistry(manyPackages(1400));
  const { context, artifacts } = prepare(lockFileOf(many, PUBLIC), {
    settings: { npmRegistry: many.url.slice(0, -1) },
  });
  const { files: made } = await npm.resolve(context);
  expect([artifacts.batches, made.length, many.hits.size]).toEqual([[1400], 1400, 1400]);
  await many.close();
});
