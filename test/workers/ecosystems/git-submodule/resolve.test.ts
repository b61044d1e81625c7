import { describe, expect, test } from 'vitest';
import { readSettings } from '../../../../src/domain/config.ts';
import { InvalidFileFormat } from '../../../../src/domain/errors.ts';
import { gitSubmodule } from '../../../../src/workers/ecosystems/git-submodule/index.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { resolveContext } from '../../../support/resolve-context.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const REPOSITORY = 'https://git.example/team/project.git';

const section = (name: string, path: string, url: string): string =>
  `[submodule "${name}"]\n\tpath = ${path}\n\turl = ${url}\n`;

describe('reports', () => {
  test('every entry of .gitmodules, its URL resolved against that of the source', async () => {
    const source = memorySourceTree({
      '.gitmodules':
        section('tools', 'third_party/tools', '../tools.git') +
        section('libs/one', 'lib', 'https://ada:secret@git.example:8443/libs/one') +
        section('gone', 'gone', './gone'),
      lib: { commit: A },
      'lib/a.c': 'int a;',
      'third_party/tools': { commit: B },
    });
    const { context, lines } = resolveContext({ source, request: { repository: REPOSITORY } });
    const resolution = await gitSubmodule.resolve(context);
    expect(resolution).toEqual({
      packages: [
        {
          type: 'git-submodule',
          name: 'libs/one',
          version: `https://git.example:8443/libs/one#${A}`,
          path: 'lib',
          dependencies: [],
        },
        {
          type: 'git-submodule',
          name: 'tools',
          version: `https://git.example/team/tools.git#${B}`,
          path: 'third_party/tools',
          dependencies: [],
        },
      ],
      files: [],
      directories: [],
      sourceChanges: [],
      offline: { environment: [], configurationFiles: [] },
      registry: { environment: [], configurationFiles: [] },
      components: [
        component('libs/one', 'https://git.example:8443/libs/one', A),
        component('tools', 'https://git.example/team/tools.git', B),
      ],
      tools: {},
    });
    expect(lines.join('\n')).not.toContain('secret');
  });

  test.each([
    ['no submodules', {}],
    ['a .gitmodules without commits', { '.gitmodules': section('a', 'a', './a'), 'a/b': '' }],
    [
      'a .gitmodules that is a link',
      { '.gitmodules': { link: 'x' }, x: section('a', 'a', './a'), a: { commit: A } },
    ],
  ])('nothing for %s', async (_, files) => {
    const { context } = resolveContext({ source: memorySourceTree(files as Record<string, string>) });
    expect((await gitSubmodule.resolve(context)).packages).toEqual([]);
  });

  test('a mistake in .gitmodules', async () => {
    const { context } = resolveContext({ source: memorySourceTree({ '.gitmodules': '[submodule' }) });
    await expect(gitSubmodule.resolve(context)).rejects.toThrow(
      new InvalidFileFormat('unexpected-format', '.gitmodules has a mistake in line 1'),
    );
  });
});

describe('detects', () => {
  const detect = (files: Parameters<typeof memorySourceTree>[0], repository: string | null = REPOSITORY) =>
    gitSubmodule.detect(memorySourceTree(files), {
      repository,
      settings: readSettings({ STOWAGE_GIT_ALLOWED_PROTOCOLS: 'https,ssh,file' }),
    });
  const FOUND = [{ options: { path: '.' }, evidence: ['.gitmodules'] }];

  test.each<[string, string, object[]]>([
    ['https', 'https://git.example/a.git', FOUND],
    ['ssh', 'git@git.example:team/a.git', FOUND],
    ['a relative URL', '../a.git', FOUND],
    ['a protocol that is not allowed', 'http://git.example/a.git', []],
    ['a path on the worker', '/srv/git/a.git', []],
    ['a transport helper', 'ext::sh -c "id"', []],
    ['an option', '--upload-pack=id', []],
    ['a URL above the host', '../../../../a.git', []],
  ])('%s', async (_, url, expected) => {
    expect(await detect({ '.gitmodules': section('a', 'a', url), a: { commit: A } })).toEqual(expected);
  });

  test.each<[string, Parameters<typeof memorySourceTree>[0]]>([
    ['no .gitmodules', { a: { commit: A } }],
    [
      'one of two has no URL',
      { '.gitmodules': section('a', 'a', './a'), a: { commit: A }, b: { commit: B } },
    ],
    ['no commit', { '.gitmodules': section('a', 'a', './a') }],
    ['a mistake in .gitmodules', { '.gitmodules': '[submodule', a: { commit: A } }],
  ])('nothing when there is %s', async (_, files) => {
    expect(await detect(files)).toEqual([]);
  });

  test('paths for a source that is one itself', async () => {
    const files = { '.gitmodules': section('a', 'a', '/srv/git/a.git'), a: { commit: A } };
    expect(await detect(files, '/srv/git/project')).toEqual(FOUND);
  });
});

function component(name: string, url: string, commit: string) {
  const purl = `pkg:generic/${encodeURIComponent(name)}@${commit}?vcs_url=${encodeURIComponent(`git+${url}@${commit}`)}`;
  return {
    ref: purl,
    purl,
    type: 'library',
    name,
    version: commit,
    isSourcePackage: true,
    hashes: {},
    bundlePaths: [],
    properties: {},
    dependsOn: [],
  };
}
