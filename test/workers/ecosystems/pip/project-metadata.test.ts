import { describe, expect, test } from 'vitest';
import { readProjectMetadata } from '../../../../src/workers/ecosystems/pip/project-metadata.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';

type Files = Parameters<typeof memorySourceTree>[0];

function read(files: Files, options: Partial<Parameters<typeof readProjectMetadata>[0]> = {}) {
  const warnings: string[] = [];
  const answer = readProjectMetadata({
    source: memorySourceTree({ README: '', ...files }),
    directory: '.',
    rules: 'cachito',
    repository: 'https://git.example/team/project.git',
    maxBytes: 100_000,
    log: { debug: () => {}, info: () => {}, warn: (message) => warnings.push(message) },
    ...options,
  });
  return { answer, warnings };
}

const cfg = (text: string) => `[metadata]\n${text}`;

describe('name and version', () => {
  test.each<[string, Files, string, string]>([
    ['setup.py', { 'setup.py': 'setup(name="a", version="1.0")' }, 'a', '1.0'],
    ['setup.cfg', { 'setup.cfg': cfg('name = a\nversion = 1.0\n') }, 'a', '1.0'],
    ['pyproject.toml', { 'pyproject.toml': '[project]\nname = "a"\nversion = "1.0"' }, 'a', '1.0'],
    [
      'setup.py before setup.cfg before pyproject.toml',
      {
        'setup.py': 'setup(name="py", version=read())',
        'setup.cfg': cfg('name = cfg\nversion = 2'),
        'pyproject.toml': '[project]\nname = "toml"\nversion = "3"',
      },
      'py',
      '2',
    ],
    [
      'a dynamic version of setup.cfg',
      { 'setup.cfg': cfg('version = 2'), 'pyproject.toml': '[project]\nname = "a"\ndynamic = ["version"]' },
      'a',
      '2',
    ],
    ['odd keys', { 'setup.cfg': '[other]\nname = no\n[metadata]\nNAME: a\nVersion :1.0 \n' }, 'a', '1.0'],
    ['comments', { 'setup.cfg': '# c\n[metadata]\n; c\nname = a\n  # c\nversion = 1.0\n' }, 'a', '1.0'],
    ['file', { 'setup.cfg': cfg('name = a\nversion = file: VERSION'), VERSION: ' 1.0\n' }, 'a', '1.0'],
    ['file below', { 'setup.cfg': cfg('name = a\nversion = file:x/../VERSION'), VERSION: '1.0' }, 'a', '1.0'],
    [
      'attribute of a module',
      { 'setup.cfg': cfg('name = a\nversion = attr: mod.VERSION'), 'mod.py': 'VERSION = "1.0"' },
      'a',
      '1.0',
    ],
    [
      'attribute of a package',
      {
        'setup.cfg': cfg('name = a\nversion = attr: pkg.__version__'),
        'pkg/__init__.py': '__version__: str = "1.0"',
      },
      'a',
      '1.0',
    ],
    [
      'attribute of a module in a package',
      { 'setup.cfg': cfg('name = a\nversion = attr:pkg.about.V'), 'pkg/about.py': 'W = V = (1, 2, "rc1")' },
      'a',
      '1.2rc1',
    ],
    [
      'attribute below package_dir',
      {
        'setup.cfg': `${cfg('name = a\nversion = attr: pkg.V')}\n[options]\npackage_dir =\n  = src\n`,
        'src/pkg.py': 'V = "1.0"',
        'pkg.py': 'V = "no"',
      },
      'a',
      '1.0',
    ],
    [
      'attribute of a package with its own directory',
      {
        'setup.cfg': `${cfg('name = a\nversion = attr: pkg.sub.V')}\n[options]\npackage_dir = pkg=lib/one\n`,
        'lib/one/sub/__init__.py': 'V = "1.0"',
      },
      'a',
      '1.0',
    ],
  ])('%s', async (_, files, name, version) => {
    const { answer, warnings } = read(files);
    expect(await answer).toEqual({ name, version });
    expect(warnings).toEqual([]);
  });

  test.each([
    ['1.0.0-rc.1', '1.0.0rc1'],
    ['v1.0', '1.0'],
    ['01.02.2024', '1.2.2024'],
    ['1.0+Ubuntu_1', '1.0+ubuntu.1'],
    ['2004d', '2004d'],
    ['my version!', 'my.version-'],
  ])('version %j is normal as %s', async (text, normal) => {
    expect(await read({ 'setup.py': `setup(name="a", version="${text}")` }).answer).toEqual({
      name: 'a',
      version: normal,
    });
  });
});

describe('what is not understood', () => {
  test.each<[string, Files]>([
    ['setup.py', { 'setup.py': 'setup(name="no', 'setup.cfg': cfg('name = a\nversion = 1') }],
    ['pyproject.toml', { 'pyproject.toml': '[project', 'setup.cfg': cfg('name = a') }],
  ])('%s is named in the log', async (name, files) => {
    const { answer, warnings } = read(files, { rules: 'native' });
    expect((await answer).name).toBe('a');
    expect(warnings).toEqual([expect.stringContaining(`pip: app/${name} is not understood: `)]);
  });

  test('files outside of the project', async () => {
    const { answer } = read(
      {
        'sub/setup.cfg': cfg('name = a\nversion = file: ../VERSION'),
        VERSION: '1.0',
      },
      { directory: 'sub' },
    );
    await expect(answer).rejects.toThrow("'app/VERSION' is not a subpath of 'app/sub'");
  });

  test('files that are too large', async () => {
    const { answer } = read(
      { 'setup.py': `setup(name="a", version="1")${' '.repeat(100_000)}` },
      { rules: 'native' },
    );
    expect(await answer).toEqual({ name: 'project', version: null });
  });
});

describe('the own interface makes a name up', () => {
  test.each<[string | null, string, string]>([
    ['https://git.example/team/My_Project.git', '.', 'my-project'],
    ['git@git.example:team/project.git/', 'libs/One.Two', 'project-libs-one-two'],
    ['https://git.example/%C3%A9.git', '.', 'c3-a9'],
    [null, '.', 'source'],
  ])('%s at %s', async (repository, directory, name) => {
    const files = { [`${directory}/x`]: '' };
    expect(await read(files, { rules: 'native', repository, directory }).answer).toEqual({
      name,
      version: null,
    });
  });
});
