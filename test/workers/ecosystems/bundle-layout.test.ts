import { describe, expect, test } from 'vitest';
import {
  BundleLayout,
  bundlePath,
  repositoryFolders,
} from '../../../src/workers/ecosystems/bundle-layout.ts';

const blob = (digit: string) => ({ digest: `sha256:${digit.repeat(64)}` as const, size: 1, crc32: 0 });

function layOut(...adds: ((layout: BundleLayout) => void)[]) {
  const warnings: string[] = [];
  const layout = new BundleLayout({ debug: () => {}, info: () => {}, warn: (text) => warnings.push(text) });
  for (const add of adds) add(layout);
  return { files: layout.files(), links: layout.links(), warnings };
}

const file = (path: string, digit: string, owner: string) => (layout: BundleLayout) =>
  layout.add(path, blob(digit), owner);
const link = (path: string, target: string, owner: string) => (layout: BundleLayout) =>
  layout.addLink({ path, target }, owner);

describe('the layout of dependencies', () => {
  test('has each file and link once, by path', () => {
    const { files, links } = layOut(
      file('deps/b', '2', 'b'),
      file('deps/a/x', '1', 'a'),
      file('deps/b', '2', 'b again'),
      link('deps/a/y', 'x', 'a'),
      link('deps/a/y', 'x', 'a again'),
      (layout) => layout.add('deps/a/tool', blob('3'), 'a', 0o755),
    );
    expect(files).toEqual([
      { path: 'deps/a/tool', mode: 0o755, ...blob('3') },
      { path: 'deps/a/x', mode: 0o644, ...blob('1') },
      { path: 'deps/b', mode: 0o644, ...blob('2') },
    ]);
    expect(links).toEqual([{ path: 'deps/a/y', target: 'x' }]);
  });

  test.each<[string, [(layout: BundleLayout) => void, (layout: BundleLayout) => void], string]>([
    ['two files', [file('deps/x', '1', 'a'), file('deps/x', '2', 'b')], 'deps/x'],
    ['a file below a file', [file('deps/x', '1', 'a'), file('deps/x/y', '2', 'b')], 'deps/x/y'],
    ['a file above a file', [file('deps/x/y', '1', 'a'), file('deps/x', '2', 'b')], 'deps/x'],
    ['two links', [link('deps/x', 'y', 'a'), link('deps/x', 'z', 'b')], 'deps/x'],
    ['a file below a link', [link('deps/x', 'y', 'a'), file('deps/x/y', '2', 'b')], 'deps/x/y'],
    ['a link above a file', [file('deps/x/y', '1', 'a'), link('deps/x', 'z', 'b')], 'deps/x'],
  ])('refuses %s', (_, adds, path) => {
    expect(() => layOut(...adds)).toThrow(
      expect.objectContaining({
        code: 'package-rejected',
        message: `The dependencies a and b have the same path in the bundle, but not the same content: ${path}`,
      }),
    );
  });
});

test.each(['..', '.', '', 'a/b', 'a\\b', 'a\0b', 'a\nb', 'a'.repeat(256)])(
  'the name %j is no part of a path',
  (name) => {
    expect(() => bundlePath('deps/pip', ['x', name])).toThrow(
      expect.objectContaining({ code: 'path-outside-root' }),
    );
  },
);

test.each([
  ['https://git.example/team/project.git', ['git.example', 'team', 'project']],
  ['https://user@GIT.example:8443/a/b/c/', ['git.example', 'a', 'b', 'c']],
  ['https://git.example/%74eam/a%20b', ['git.example', 'team', 'a b']],
  ['https://git.example/100%', ['git.example', '100%']],
  ['https://git.example', ['git.example']],
])('the folders of %s', (url, folders) => {
  expect(repositoryFolders(url)).toEqual(folders);
});
