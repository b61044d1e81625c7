import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PackageOptions } from '../../../../src/domain/packages/package.ts';
import { pip } from '../../../../src/workers/ecosystems/pip/index.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { makeSdist, type PythonIndex, startPythonIndex } from '../../../support/python-index.ts';
import { resolveContext } from '../../../support/resolve-context.ts';

/** Every text of prefetch.md 5.1 with which a request is refused, in the rules of the Cachito dialect. */

const COMMIT = 'ab'.repeat(20);
const GIT = `git+https://git.example/team/tool.git@${COMMIT}`;
const ARCHIVE = 'https://files.example/a-1.0.tar.gz';
const HASH = `sha256:${'0'.repeat(64)}`;
const SETUP = { 'setup.cfg': '[metadata]\nname = project\nversion = 1.0\n' };
const EXACTLY_ONE =
  'Use the --hash option or the #cachito_hash URL fragment, but not both (or more than one --hash).';

let index: PythonIndex;

beforeAll(async () => {
  index = await startPythonIndex([
    makeSdist('plain', '1.0'),
    makeSdist('yanked', '1.0', { yanked: 'broken' }),
    makeSdist('naked', '1.0', { withoutPkgInfo: true }),
    { project: 'notgzip', fileName: 'notgzip-1.0.tar.gz', content: Buffer.from('no archive') },
    { project: 'notzip', fileName: 'notzip-1.0.zip', content: Buffer.from('no archive') },
    { project: 'notxz', fileName: 'notxz-1.0.tar.xz', content: Buffer.from('no archive') },
    { project: 'notbz', fileName: 'notbz-1.0.tar.bz2', content: Buffer.from('no archive') },
    { project: 'nottar', fileName: 'nottar-1.0.tar', content: Buffer.from('no archive'.repeat(100)) },
    makeSdist('lying', '1.0', { sha256: 'f'.repeat(64) }),
  ]);
});
afterAll(() => index.close());

async function failure(
  files: Record<string, string>,
  options: Partial<PackageOptions> = {},
): Promise<{ code: string; message: string }> {
  const { context } = resolveContext({
    source: memorySourceTree(files),
    settings: { pypiIndex: index.url },
    request: { rules: 'cachito' },
    packages: [{ path: '.', ...options }],
  });
  const error = await pip.resolve(context).then(
    () => {
      throw new Error('it was accepted');
    },
    (thrown: Error & { code: string }) => thrown,
  );
  return { code: error.code, message: error.message };
}

const refusal = async (requirements: string) =>
  (await failure({ ...SETUP, 'requirements.txt': requirements })).message;

describe('options', () => {
  test.each([
    ['-i https://x.example', '-i'],
    ['--index-url=https://x.example', '--index-url'],
    ['--extra-index-url https://x.example', '--extra-index-url'],
    ['--no-index', '--no-index'],
    ['-f links', '-f'],
    ['--find-links=links', '--find-links'],
    ['--only-binary :all:', '--only-binary'],
    ['-f links\n--pre\n-i https://x.example\nplain==1.0', '-f, -i'],
  ])('%j', async (text, named) => {
    expect(await refusal(text)).toBe(`Cachito does not support the following options: ${named}`);
  });

  test('are judged before requirements', async () => {
    expect(await refusal('plain\n--no-index\n')).toBe(
      'Cachito does not support the following options: --no-index',
    );
  });

  test('without effect are named in the log', async () => {
    const { context, lines } = resolveContext({
      source: memorySourceTree({
        ...SETUP,
        'requirements.txt':
          '--pre\n-c absent.txt\n--prefer-binary\n--no-binary :all:\n--use-feature x\n--trusted-host h\nplain==1.0\n',
      }),
      settings: { pypiIndex: index.url },
      request: { rules: 'cachito' },
    });
    await pip.resolve(context);
    expect(lines).toContain(
      'info: pip: options without effect in app/requirements.txt: --pre, -c, --prefer-binary, --no-binary, --use-feature',
    );
  });
});

describe('forms of requirements', () => {
  test.each([
    ['plain', 'Requirement must be pinned to an exact version: plain'],
    ['plain>=1', 'Requirement must be pinned to an exact version: plain>=1'],
    ['plain==1,==1', 'Requirement must be pinned to an exact version: plain==1,==1'],
    [
      'plain[x]~=1 ; os_name == "x"',
      'Requirement must be pinned to an exact version: plain[x]~=1 ; os_name == "x"',
    ],
    ['plain==1.*', 'No sdists found for package plain==1.*'],
    [
      `hg+https://hg.example/a@${COMMIT}#egg=a`,
      `Unsupported VCS for a @ hg+https://hg.example/a@${COMMIT}#egg=a: hg+https`,
    ],
    ['a @ svn+http://svn.example/a', 'Unsupported VCS for a @ svn+http://svn.example/a: svn+http'],
    ['a @ bzr://bzr.example/a', 'Unsupported VCS for a @ bzr://bzr.example/a: bzr'],
    [
      'a @ git+https://git.example/a.git',
      'No git ref in a @ git+https://git.example/a.git (expected 40 hexadecimal characters)',
    ],
    [
      'git+https://git.example/a.git@v1.0#egg=a',
      'No git ref in a @ git+https://git.example/a.git@v1.0#egg=a (expected 40 hexadecimal characters)',
    ],
    [
      `a @ git+https://git.example/a.git@${'a'.repeat(39)}`,
      `No git ref in a @ git+https://git.example/a.git@${'a'.repeat(39)} (expected 40 hexadecimal characters)`,
    ],
    [
      `a @ git+ssh://git@git.example/a@${COMMIT}`,
      `Direct references with 'git+ssh' scheme are not supported, 'a @ git+ssh://git@git.example/a@${COMMIT}'`,
    ],
    ['file:///tmp/a.zip', "Direct references with 'file' scheme are not supported, 'file:///tmp/a.zip'"],
    [GIT, `Egg name could not be determined from the requirement '${GIT}'`],
    ['a @ b/c', "Unable to extract scheme from direct access requirement 'a @ b/c'"],
    [
      `a @ ${ARCHIVE}`,
      `URL requirement must specify exactly one hash, but specifies 0: a @ ${ARCHIVE}. ${EXACTLY_ONE}`,
    ],
    [
      `a @ ${ARCHIVE} --hash=${HASH} --hash=${HASH}`,
      `URL requirement must specify exactly one hash, but specifies 2: a @ ${ARCHIVE}. ${EXACTLY_ONE}`,
    ],
    [
      `a @ ${ARCHIVE}#cachito_hash=${HASH} --hash=${HASH}`,
      `URL requirement must specify exactly one hash, but specifies 2: a @ ${ARCHIVE}#cachito_hash=${HASH}. ${EXACTLY_ONE}`,
    ],
    [
      `a @ https://files.example/a-1.0-py3-none-any.whl --hash=${HASH}`,
      'URL for requirement does not contain any recognized file extension: a @ https://files.example/a-1.0-py3-none-any.whl (expected one of .zip, .tar.gz, .tar.bz2, .tar.xz, .tar.Z, .tar)',
    ],
  ])('%j', async (text, message) => {
    expect(await refusal(text)).toBe(message);
  });
});

describe('hashes', () => {
  test.each([
    [
      `plain==1.0 --hash=${HASH}\nother==1.0`,
      'Hash is required, dependency does not specify any: other==1.0',
    ],
    ['--require-hashes\nplain==1.0', 'Hash is required, dependency does not specify any: plain==1.0'],
    [
      `a @ ${ARCHIVE} --hash=${HASH}\nb @ ${GIT}`,
      `Hash is required, dependency does not specify any: b @ ${GIT}`,
    ],
    ['plain==1.0 --hash=zz', "Not a valid hash specifier: 'zz' (expected algorithm:digest)"],
    ['plain==1.0 --hash=sha256:', "Not a valid hash specifier: 'sha256:' (expected algorithm:digest)"],
    [`a @ ${ARCHIVE}#cachito_hash=zz`, "Not a valid hash specifier: 'zz' (expected algorithm:digest)"],
    ['plain==1.0 --hash=crc32:00', 'Unknown hash algorithm: crc32'],
    [
      `plain==1.0 --hash=${HASH}`,
      'Failed to verify checksum of plain-1.0.tar.gz against any of the provided hashes',
    ],
  ])('%j', async (text, message) => {
    expect(await refusal(text)).toBe(message);
  });

  test('the index must not lie', async () => {
    const actual = createHash('sha256').update(index.find('lying-1.0.tar.gz').content).digest('hex');
    expect(await refusal('lying==1.0')).toBe(
      `The file lying-1.0.tar.gz has an unexpected checksum value, expected ${'f'.repeat(64)} but computed ${actual}`,
    );
  });

  test.each([
    ['plain==1.0 --hash=zz\nother', 'Requirement must be pinned to an exact version: other'],
    [`a @ ${ARCHIVE}#cachito_hash=zz\nother`, 'Requirement must be pinned to an exact version: other'],
    [`plain==1.0\nother==1.0 --hash=zz`, 'Hash is required, dependency does not specify any: plain==1.0'],
  ])('forms are judged before hashes, and hashes line by line: %j', async (text, message) => {
    expect(await refusal(text)).toBe(message);
  });
});

describe('downloads', () => {
  const PKG_INFO =
    'does not include metadata (there is no PKG-INFO file). It is not a valid sdist and cannot be downloaded from PyPI. ' +
    'Consider editing your requirements file to download the package from git or a direct download URL instead.';

  test.each([
    ['plain==2.0', 'No sdists found for package plain==2.0'],
    ['yanked==1.0', 'All sdists for package yanked==1.0 are yanked'],
    ['naked==1.0', `naked-1.0.tar.gz ${PKG_INFO}`],
    [
      'notgzip==1.0',
      'Cannot open deps/pip/notgzip/notgzip-1.0.tar.gz as a Tar file. Error: incorrect header check',
    ],
  ])('%s', async (text, message) => {
    expect(await refusal(text)).toBe(message);
  });

  test.each([
    ['notzip==1.0', /^Cannot open deps\/pip\/notzip\/notzip-1\.0\.zip as a Zip file\. Error: \S/],
    ['notxz==1.0', /^Cannot open deps\/pip\/notxz\/notxz-1\.0\.tar\.xz as a Tar file\. Error: \S/],
    ['notbz==1.0', /^Cannot open deps\/pip\/notbz\/notbz-1\.0\.tar\.bz2 as a Tar file\. Error: \S/],
    ['nottar==1.0', /^Cannot open deps\/pip\/nottar\/nottar-1\.0\.tar as a Tar file\. Error: \S/],
    ['absent==1.0', /^PyPI query failed: 404 Client Error: Not Found for url: \S+\/simple\/absent\/$/],
  ])('%s', async (text, pattern) => {
    expect(await refusal(text)).toMatch(pattern);
  });

  test('of several failures the first in file order counts', async () => {
    expect(await refusal('yanked==1.0\nabsent==1.0\nplain==2.0')).toBe(
      'All sdists for package yanked==1.0 are yanked',
    );
  });
});

describe('files', () => {
  const invalid = (path: string) => `Following requirement file has an invalid path: ${path}`;

  test.each([
    ['absent.txt', invalid('app/absent.txt')],
    ['directory', invalid('app/directory')],
    ['../other.txt', invalid('app/../other.txt')],
  ])('%s', async (name, message) => {
    const files = { ...SETUP, 'directory/file': '' };
    expect((await failure(files, { requirementsFiles: [name] })).message).toBe(message);
    expect((await failure(files, { requirementsBuildFiles: [name] })).message).toBe(message);
  });

  test.each([
    ['-r absent.txt', invalid('app/absent.txt')],
    ['-r ../../etc/passwd', invalid('app/../../etc/passwd')],
    ['-r /etc/passwd', invalid('/etc/passwd')],
  ])('%s', async (text, message) => {
    expect(await refusal(text)).toBe(message);
  });
});

describe('metadata of the main package', () => {
  const metadata = async (files: Record<string, string>) => (await failure(files)).message;
  const missing = (parts: string) => `Could not resolve package metadata: ${parts}`;

  test.each<[string, Record<string, string>, string]>([
    ['nothing', { README: '' }, missing('name, version')],
    ['setup.py that computes', { 'setup.py': 'setup(name=f(), version=g())' }, missing('name, version')],
    ['name only', { 'setup.py': 'setup(name="a")' }, missing('version')],
    ['version only', { 'setup.cfg': '[metadata]\nversion = 1' }, missing('name')],
    [
      'dynamic version',
      { 'pyproject.toml': '[project]\nname = "a"\ndynamic = ["version"]\n' },
      missing('version'),
    ],
    ['poetry', { 'pyproject.toml': '[tool.poetry]\nname = "a"\nversion = "1"\n' }, missing('name, version')],
    ['broken TOML', { 'pyproject.toml': '[project\n' }, missing('name, version')],
    ['broken Python', { 'setup.py': 'setup(name="a' }, missing('name, version')],
    [
      'file outside',
      { 'setup.cfg': '[metadata]\nname = a\nversion = file: ../../VERSION' },
      "'../VERSION' is not a subpath of 'app'",
    ],
    [
      'absolute file',
      { 'setup.cfg': '[metadata]\nname = a\nversion = file: /etc/passwd' },
      "'/etc/passwd' is not a subpath of 'app'",
    ],
    [
      'odd module',
      { 'setup.cfg': '[metadata]\nname = a\nversion = attr: a-b.version' },
      "'a-b' is not an accepted module name",
    ],
  ])('%s', async (_, files, message) => {
    expect(await metadata(files)).toBe(message);
  });
});
