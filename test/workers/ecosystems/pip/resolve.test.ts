import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PackageOptions } from '../../../../src/domain/packages/package.ts';
import type { Resolution } from '../../../../src/workers/ecosystems/ecosystem.ts';
import { pip } from '../../../../src/workers/ecosystems/pip/index.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import {
  makeSdist,
  makeWheel,
  type PythonIndex,
  sdistFiles,
  startPythonIndex,
} from '../../../support/python-index.ts';
import { resolveContext } from '../../../support/resolve-context.ts';

const COMMIT = 'ab'.repeat(20);
const GIT_URL = 'https://git.example/team/tool.git';
const hash = (algorithm: string, content: Buffer) => createHash(algorithm).update(content).digest('hex');

let index: PythonIndex;
let html: PythonIndex;
let files: PythonIndex;

beforeAll(async () => {
  const offered = [
    makeSdist('plain', '1.0'),
    makeSdist('plain', '2.0'),
    makeSdist('Foo.Bar_baz', '1.0', { fileNameBase: 'Foo.Bar_baz' }),
    makeSdist('epoch', '1!2.0'),
    makeSdist('local', '1.0+local.7'),
    makeSdist('pre', '1.0rc1'),
    makeSdist('post', '1.0.post2'),
    makeSdist('dev', '1.0.dev3'),
    makeSdist('two-forms', '1.0'),
    makeSdist('two-forms', '1.0', { extension: '.zip' }),
    makeSdist('half-yanked', '1.0', { yanked: true }),
    makeSdist('half-yanked', '1.0', { extension: '.zip' }),
    makeSdist('plain-extra', '1.0'),
    makeSdist('nohash', '1.0', { sha256: null }),
    makeWheel('nohash', '1.0'),
    makeWheel('only-wheel', '1.0'),
    makeWheel('native', '1.0', { tag: 'cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64' }),
    makeWheel('native', '1.0', { tag: 'cp312-cp312-manylinux_2_17_aarch64' }),
    makeWheel('native', '1.0', { tag: 'cp38-abi3-macosx_11_0_arm64' }),
    makeSdist('native', '1.0'),
  ];
  index = await startPythonIndex(offered);
  html = await startPythonIndex(offered, { form: 'html', relativeLinks: true });
  files = await startPythonIndex([makeSdist('archive', '1.5')]);
});
afterAll(() => Promise.all([index.close(), html.close(), files.close()]));

type Files = Parameters<typeof memorySourceTree>[0];

function prepare(
  sources: Files,
  packages: PackageOptions[] = [{ path: '.' }],
  options: Partial<Parameters<typeof resolveContext>[0]> = {},
) {
  return resolveContext({
    source: memorySourceTree({ 'setup.cfg': '[metadata]\nname = project\nversion = 1.0\n', ...sources }),
    settings: { pypiIndex: index.url },
    trees: { [`${GIT_URL}#${COMMIT}`]: memorySourceTree(sdistFiles('tool', '7.0')) },
    packages,
    ...options,
  });
}

const resolve = (...args: Parameters<typeof prepare>): Promise<Resolution> =>
  pip.resolve(prepare(...args).context);

const paths = (resolution: Resolution) => resolution.files.map(({ path }) => path);
const dependencies = ({ packages }: Resolution) =>
  packages.map((one) => one.dependencies.map(({ name, version, dev }) => [name, version, dev]));

describe('versions', () => {
  test.each([
    ['plain==1', 'deps/pip/plain/plain-1.0.tar.gz', 'plain', '1.0'],
    ['plain == 1.0.0', 'deps/pip/plain/plain-1.0.tar.gz', 'plain', '1.0'],
    ['plain===1.0', 'deps/pip/plain/plain-1.0.tar.gz', 'plain', '1.0'],
    ['foo_bar.BAZ==1.0', 'deps/pip/Foo.Bar_baz/Foo.Bar_baz-1.0.tar.gz', 'Foo.Bar_baz', '1.0'],
    ['epoch==1!2.0', 'deps/pip/epoch/epoch-1!2.0.tar.gz', 'epoch', '1!2.0'],
    ['local==1.0+LOCAL-7', 'deps/pip/local/local-1.0+local.7.tar.gz', 'local', '1.0+local.7'],
    ['pre==1.0-c1', 'deps/pip/pre/pre-1.0rc1.tar.gz', 'pre', '1.0rc1'],
    ['post==1.0-2', 'deps/pip/post/post-1.0.post2.tar.gz', 'post', '1.0.post2'],
    ['dev==1.dev3', 'deps/pip/dev/dev-1.0.dev3.tar.gz', 'dev', '1.0.dev3'],
    ['two-forms==1.0', 'deps/pip/two-forms/two-forms-1.0.tar.gz', 'two-forms', '1.0'],
    ['half-yanked==1.0', 'deps/pip/half-yanked/half-yanked-1.0.zip', 'half-yanked', '1.0'],
    ['plain[x,y]==1.0 ; python_version < "3"', 'deps/pip/plain/plain-1.0.tar.gz', 'plain', '1.0'],
  ])('%s', async (text, path, name, version) => {
    for (const settings of [{ pypiIndex: index.url }, { pypiIndex: html.url }]) {
      const resolution = await resolve({ 'requirements.txt': text }, undefined, { settings });
      expect(paths(resolution)).toEqual([path, 'deps/pip/index.html'].sort());
      expect(dependencies(resolution)).toEqual([[[name, version, false]]]);
    }
  });
});

describe('files of requirements', () => {
  test('both conventional files; what is needed to build is dev', async () => {
    const resolution = await resolve({
      'requirements.txt': 'plain==2.0\n',
      'requirements-build.txt': 'plain==1.0\npre==1.0rc1\nplain==2.0\n',
    });
    expect(dependencies(resolution)).toEqual([
      [
        ['plain', '2.0', false],
        ['plain', '1.0', true],
        ['plain', '2.0', true],
        ['pre', '1.0rc1', true],
      ],
    ]);
    const properties = resolution.components
      .filter(({ name }) => name === 'plain' || name === 'pre')
      .map(({ ref, properties: found }) => [ref, found['stowage:pip:package:build-dependency']]);
    expect(properties).toEqual([
      ['pkg:pypi/plain@1.0', 'true'],
      ['pkg:pypi/plain@2.0', undefined],
      ['pkg:pypi/pre@1.0rc1', 'true'],
    ]);
  });

  test.each(['absent', 'requirements.txt', 'away'])(
    'the path %s is no directory of the source',
    async (path) => {
      const sources = { 'requirements.txt': '', away: { link: '../elsewhere' } };
      await expect(resolve(sources, [{ path }])).rejects.toMatchObject({
        code: 'invalid-input',
        message: `The path "${path}" is not a directory of the source`,
      });
    },
  );

  test('empty lists mean none', async () => {
    const resolution = await resolve({ 'requirements.txt': 'plain\n' }, [
      { path: '.', requirementsFiles: [], requirementsBuildFiles: [] },
    ]);
    expect(paths(resolution)).toEqual([]);
    expect(resolution.directories).toEqual(['deps/pip']);
  });

  test('nested ones, relative to the including file, each once, in cycles too', async () => {
    const resolution = await resolve({
      'requirements.txt': '-r more/a.txt\nplain==1.0\n',
      'more/a.txt': '-r ../requirements.txt\n--requirement=deep/b.txt\npre==1.0rc1\n',
      'more/deep/b.txt': '-r ../a.txt\npost==1.0.post2\n',
      'requirements-build.txt': '-r more/a.txt\ndev==1.0.dev3\n',
    });
    expect(dependencies(resolution)).toEqual([
      [
        ['plain', '1.0', false],
        ['post', '1.0.post2', false],
        ['pre', '1.0rc1', false],
        ['dev', '1.0.dev3', true],
      ],
    ]);
  });

  test('a link to a file of the source', async () => {
    const resolution = await resolve({
      'requirements.txt': { link: 'reqs/base.txt' },
      'reqs/base.txt': 'plain==1.0\n',
    });
    expect(paths(resolution)).toContain('deps/pip/plain/plain-1.0.tar.gz');
  });

  test('constraints pin what requirements leave open', async () => {
    const resolution = await resolve({
      'requirements.txt': '-c c/constraints.txt\nplain>=1\nPRE\n',
      'c/constraints.txt': '-c more.txt\nplain==2.0\nunused==3\n',
      'c/more.txt': 'pre==1.0rc1\n',
    });
    expect(dependencies(resolution)).toEqual([
      [
        ['plain', '2.0', false],
        ['pre', '1.0rc1', false],
      ],
    ]);
  });

  test.each([
    ['latin-1, declared', Buffer.from('# -*- coding: latin-1 -*-\n# Jürgen\nplain==1.0\n', 'latin1')],
    ['UTF-16', Buffer.from('\uFEFFplain==1.0\r\n# Jürgen', 'utf16le')],
    ['CRLF', Buffer.from('plain==1.0 \\\r\n  ; python_version > "3"\r\n')],
    ['form feeds and blanks', Buffer.from('\f\n\t plain==1.0\t\n\f')],
  ])('%s', async (_, content) => {
    expect(dependencies(await resolve({ 'requirements.txt': content }))).toEqual([[['plain', '1.0', false]]]);
  });

  test('several packages that include one file with a git dependency', async () => {
    const resolution = await resolve(
      {
        'a/requirements.txt': '-r ../common.txt\n',
        'b/requirements.txt': '-r ../common.txt\n',
        'common.txt': `tool @ git+${GIT_URL}@${COMMIT}\n`,
      },
      [{ path: 'a' }, { path: 'b' }],
    );
    expect(resolution.offline.configurationFiles.map(({ path }) => path)).toEqual(['app/common.txt']);
  });

  test('paths of the source itself are nothing to fetch', async () => {
    const resolution = await resolve({
      'requirements.txt':
        '-e .\n-e libs/one\nlibs/two[extra]\n./libs/one ; python_version > "3"\nplain==1.0\n',
      'libs/one/setup.py': '',
      'libs/two/pyproject.toml': '',
    });
    expect(dependencies(resolution)).toEqual([[['plain', '1.0', false]]]);
  });
});

describe('hashes', () => {
  const lines = (algorithm: string) =>
    `plain==1.0 --hash=${algorithm}:${hash(algorithm, index.find('plain-1.0.tar.gz').content)}\n`;

  test.each(['sha256', 'sha384', 'sha512', 'sha1', 'md5'])('%s', async (algorithm) => {
    const { components } = await resolve({
      'requirements.txt': lines(algorithm)
        .toUpperCase()
        .replace(/PLAIN/, 'plain')
        .replace('--HASH', '--hash'),
    });
    const row = components.find(({ name }) => name === 'plain')!;
    expect(row.hashes).toHaveProperty(algorithm);
    expect(row.hashes.sha256).toBe(index.find('plain-1.0.tar.gz').digest);
    expect(row.properties).not.toHaveProperty('stowage:missing_hash:in_file');
  });

  test('what earlier requests named is not reported', async () => {
    const first = prepare({ 'requirements.txt': lines('sha512') + lines('md5').replace('plain', 'PLAIN') });
    const row = ({ components }: Resolution) => components.find(({ name }) => name === 'plain')!;
    expect(Object.keys(row(await pip.resolve(first.context)).hashes).sort()).toEqual([
      'md5',
      'sha256',
      'sha512',
    ]);
    const { artifacts, blobs } = first;
    const second = await resolve({ 'requirements.txt': 'plain==1.0' }, undefined, { artifacts, blobs });
    expect(Object.keys(row(second).hashes)).toEqual(['sha256']);
  });

  test('one of several is enough, also over lines and in quotes', async () => {
    const resolution = await resolve({
      'requirements.txt': `plain==1.0 \\\n  --hash=sha256:${'0'.repeat(64)} \\\n  --hash "sha256:${index.find('plain-1.0.tar.gz').digest}"\n`,
    });
    expect(paths(resolution)).toContain('deps/pip/plain/plain-1.0.tar.gz');
  });

  test('the file that a hash names goes before others', async () => {
    const resolution = await resolve({
      'requirements.txt': `two-forms==1.0 --hash=sha256:${index.find('two-forms-1.0.zip').digest}\n`,
    });
    expect(paths(resolution)).toContain('deps/pip/two-forms/two-forms-1.0.zip');
  });

  test('a file without any digest is flagged', async () => {
    const { components } = await resolve({ 'requirements.txt': 'nohash==1.0\n' });
    expect(components.find(({ name }) => name === 'nohash')).toMatchObject({
      hashes: { sha256: index.find('nohash-1.0.tar.gz').digest },
      properties: { 'stowage:missing_hash:in_file': 'requirements.txt' },
    });
  });

  test('strict integrity wants a hash for each release', async () => {
    await expect(
      resolve({ 'requirements.txt': 'plain==1.0' }, undefined, { request: { strictIntegrity: true } }),
    ).rejects.toMatchObject({
      code: 'missing-checksum',
      message: 'Hash is required, dependency does not specify any: plain==1.0',
    });
  });
});

describe('git and URL dependencies', () => {
  const archive = () => files.find('archive-1.5.tar.gz');
  const url = () => new URL(archive().path, files.url).href;

  test('paths, reports and purls', async () => {
    const resolution = await resolve(
      {
        'requirements.txt':
          `-e git+https://user:secret@git.example/team/tool.git@${COMMIT.toUpperCase()}#egg=my_tool&subdirectory=py\n` +
          `archive @ ${url()} --hash=sha256:${archive().digest}\n`,
      },
      undefined,
      {
        trees: {
          [`https://user:secret@git.example/team/tool.git#${COMMIT}`]: memorySourceTree(
            sdistFiles('tool', '7.0'),
          ),
        },
      },
    );
    expect(paths(resolution)).toEqual([
      `deps/pip/external-archive/archive-external-sha256-${archive().digest}.tar.gz`,
      `deps/pip/git.example/team/tool/tool-external-gitcommit-${COMMIT}.tar.gz`,
      'deps/pip/index.html',
    ]);
    expect(dependencies(resolution)).toEqual([
      [
        ['archive', `${url()}#cachito_hash=sha256:${archive().digest}`, false],
        ['my-tool', `git+https://git.example/team/tool.git@${COMMIT}`, false],
      ],
    ]);
    const encoded = encodeURIComponent;
    expect(resolution.components.map(({ purl }) => purl)).toEqual([
      `pkg:pypi/archive?checksum=sha256%3A${archive().digest}&download_url=${encoded(url())}`,
      `pkg:pypi/my-tool?vcs_url=${encoded(`git+${GIT_URL}@${COMMIT}`)}`,
      `pkg:pypi/project@1.0?vcs_url=${encoded(`git+https://git.example/team/project.git@${'c'.repeat(40)}`)}`,
    ]);
    const configuration = resolution.offline.configurationFiles[0]!.content.toString();
    expect(configuration).toBe(
      `my-tool @ file://\${STOWAGE_DEPS}/pip/git.example/team/tool/tool-external-gitcommit-${COMMIT}.tar.gz#egg=my_tool&subdirectory=py --hash=${resolution.files[1]!.digest}\n` +
        `archive @ file://\${STOWAGE_DEPS}/pip/external-archive/archive-external-sha256-${archive().digest}.tar.gz --hash=sha256:${archive().digest}\n`,
    );
    const text = JSON.stringify(resolution, (_, value) =>
      Buffer.isBuffer(value) ? value.toString() : value,
    );
    expect(text).not.toContain('secret');
  });

  test('placeholders of credentials are not sent anywhere and not reported', async () => {
    const withToken = url().replace('://', `://user:${'$'}{TOKEN}@`);
    const resolution = await resolve({
      'requirements.txt': `archive @ ${withToken} --hash=sha256:${archive().digest}\n`,
    });
    expect(files.authorizations.at(-1)).toBeUndefined();
    expect(dependencies(resolution)[0]![0]![1]).toBe(`${url()}#cachito_hash=sha256:${archive().digest}`);
  });

  test.each([
    ['https://[/a.zip', 'a @ https://[/a.zip'],
    ['https:///a.zip', 'a @ https:///a.zip'],
  ])('%s is no URL', async (broken) => {
    await expect(
      resolve({ 'requirements.txt': `a @ ${broken} --hash=sha256:${'0'.repeat(64)}` }),
    ).rejects.toMatchObject({ name: expect.stringMatching(/Error|Failure/), code: expect.any(String) });
  });
});

describe('wheels', () => {
  const wheels = async (binary: NonNullable<PackageOptions['binary']>, text = 'native==1.0') =>
    paths(await resolve({ 'requirements.txt': text }, [{ path: '.', binary }]))
      .filter((path) => !path.endsWith('index.html'))
      .map((path) => path.split('/').at(-1));

  const LINUX = 'native-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl';
  const ARM = 'native-1.0-cp312-cp312-manylinux_2_17_aarch64.whl';
  const MAC = 'native-1.0-cp38-abi3-macosx_11_0_arm64.whl';
  const SDIST = 'native-1.0.tar.gz';

  test.each([
    [{}, [LINUX, SDIST]],
    [{ packages: 'native' }, [LINUX]],
    [{ packages: 'other' }, [SDIST]],
    [{ packages: 'NATIVE', arch: 'aarch64' }, [ARM]],
    [{ packages: 'native', arch: 'x86_64,aarch64' }, [LINUX, ARM]],
    [{ packages: 'native', os: 'darwin', arch: 'arm64', pyVersion: '3.12' }, [MAC]],
    [{ packages: 'native', pyVersion: '311' }, [LINUX]],
    [{ packages: 'native', platform: '^manylinux' }, [LINUX, ARM]],
    [{ packages: 'native', abi: 'cp311' }, [LINUX]],
  ])('%j', async (binary, expected) => {
    expect(await wheels(binary)).toEqual(expected);
  });

  test('none that fits', async () => {
    await expect(wheels({ packages: 'native', pyVersion: '3.9' })).rejects.toThrow(
      'No wheels found for package native==1.0',
    );
    await expect(wheels({ packages: 'plain' }, 'only-wheel==1.0')).rejects.toThrow(
      'No sdists found for package only-wheel==1.0',
    );
  });

  test('markers count for the targets', async () => {
    expect(
      await wheels({ packages: 'native', os: 'linux' }, 'native==1.0\nabsent==1 ; sys_platform == "win32"'),
    ).toEqual([LINUX]);
  });
});

describe('hostile sdists', () => {
  const zeros = (bytes: number) => new Uint8Array(bytes);
  const MANY = 64 * 1024 * 1024;
  const zerosPackedBy = (module: string) =>
    execFileSync('python3', [
      '-c',
      `import sys, ${module}; sys.stdout.buffer.write(${module}.compress(bytes(${MANY})))`,
    ]);

  test.each<[string, () => Uint8Array]>([
    ['bomb-1.0.tar.gz', () => gzipSync(zeros(MANY), { level: 9 })],
    ['bomb-1.0.zip', () => zipSync({ 'bomb-1.0/PKG-INFO': zeros(MANY) }, { level: 9 })],
    ['bomb-1.0.tar.xz', () => zerosPackedBy('lzma')],
    ['bomb-1.0.tar.bz2', () => zerosPackedBy('bz2')],
    ['bomb-1.0.tar.gz', () => gzipSync(Buffer.concat([Buffer.from('x'.repeat(600)), zeros(1024)]))],
    ['bomb-1.0.zip', () => Buffer.from('PK\x05\x06'.padEnd(22, '\0'))],
  ])('%s', async (fileName, content) => {
    const server = await startPythonIndex([{ project: 'bomb', fileName, content: Buffer.from(content()) }]);
    const kind = fileName.endsWith('.zip') ? 'Zip' : 'Tar';
    try {
      const { message } = await resolve({ 'requirements.txt': 'bomb==1.0' }, undefined, {
        settings: { pypiIndex: server.url },
      }).then(
        () => ({ message: 'it was accepted' }),
        (error: Error) => error,
      );
      const refusals = [
        `Cannot open deps/pip/bomb/${fileName} as a ${kind} file. Error: `,
        `${fileName} does not include metadata`,
      ];
      expect(
        refusals.some((text) => message.startsWith(text)),
        message,
      ).toBe(true);
    } finally {
      await server.close();
    }
  });
});
