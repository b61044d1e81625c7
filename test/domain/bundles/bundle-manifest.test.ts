import { describe, expect, test } from 'vitest';
import type { BundleFile } from '../../../src/domain/bundles/bundle-file.ts';
import {
  type BundleParts,
  layOutBundle,
  type ManifestEntry,
  manifestText,
  similarNames,
} from '../../../src/domain/bundles/bundle-manifest.ts';
import { readUntrustedManifest } from '../../../src/domain/bundles/untrusted-manifest.ts';
import { memorySourceTree } from '../../support/memory-source-tree.ts';

const digest = (digit: string): `sha256:${string}` => `sha256:${digit.repeat(64)}`;
const file = (path: string, digit = '1', mode: 0o644 | 0o755 = 0o644): BundleFile => ({
  path,
  mode,
  digest: digest(digit),
  size: 3,
  crc32: 0,
});
const layOut = (parts: Partial<BundleParts>, source: Parameters<typeof memorySourceTree>[0] = {}) =>
  layOutBundle({ source: memorySourceTree(source), sourceChanges: [], files: [], directories: [], ...parts });
const lines = (parts: Partial<BundleParts>, source?: Parameters<typeof memorySourceTree>[0]): string[] =>
  layOut(parts, source).manifest.entries.map(({ path, type, mode }) => `${mode} ${type} ${path}`);

describe('the layout of a bundle (cachito.md 5.1, prefetch.md 9)', () => {
  test('has app/… without app itself, and deps even when it is empty', () => {
    expect(lines({}, { 'a/b.txt': 'x', c: { link: 'a' } })).toEqual([
      '0755 directory app/a',
      '0644 file app/a/b.txt',
      '0777 symlink app/c',
      '0755 directory deps',
    ]);
  });

  test('has every directory once, also empty ones', () => {
    expect(lines({ files: [file('deps/npm/a/a.tgz')], directories: ['deps/npm', 'deps/gomod/pkg'] })).toEqual(
      [
        '0755 directory deps',
        '0755 directory deps/gomod',
        '0755 directory deps/gomod/pkg',
        '0755 directory deps/npm',
        '0755 directory deps/npm/a',
        '0644 file deps/npm/a/a.tgz',
      ],
    );
  });

  test('shows changes of the source', () => {
    const parts: Partial<BundleParts> = {
      sourceChanges: [
        { kind: 'write', path: 'go.mod', file: file('app/go.mod', '2') },
        { kind: 'write', path: 'vendor/x.sh', file: file('app/vendor/x.sh', '3', 0o755) },
        { kind: 'remove', path: 'old' },
      ],
    };
    expect(lines(parts, { 'go.mod': 'x', old: 'y' })).toEqual([
      '0644 file app/go.mod',
      '0755 directory app/vendor',
      '0755 file app/vendor/x.sh',
      '0755 directory deps',
    ]);
    expect(layOut(parts, { 'go.mod': 'x' }).manifest.entries[0]!.digest).toBe(digest('2'));
  });

  test('has links below deps, but not at the path of a file', () => {
    const links = [{ path: 'deps/rubygems/x/app/link', target: '../a.rb' }];
    const { manifest } = layOut({ files: [file('deps/rubygems/x/a.rb')], links });
    expect(manifest.entries.find(({ type }) => type === 'symlink')).toEqual({
      path: 'deps/rubygems/x/app/link',
      type: 'symlink',
      mode: '0777',
      size: 0,
      target: '../a.rb',
    });
    expect(readUntrustedManifest(manifestText(manifest))).toEqual(manifest);
    expect(() => layOut({ files: [file('deps/rubygems/x/app/link')], links })).toThrow(
      'A file and a link have the path deps/rubygems/x/app/link in the bundle',
    );
  });

  test('takes one file twice, but not two files at one path', () => {
    expect(lines({ files: [file('deps/a'), file('deps/a')] })).toEqual([
      '0755 directory deps',
      '0644 file deps/a',
    ]);
    expect(() => lines({ files: [file('deps/a'), file('deps/a', '2')] })).toThrow(
      expect.objectContaining({
        code: 'package-rejected',
        message: 'Two different files have the path deps/a in the bundle',
        details: { path: 'deps/a', digests: [digest('1'), digest('2')] },
      }),
    );
  });

  test('does not depend on the order of its parts', () => {
    const parts = {
      files: [file('deps/a'), file('deps/b', '2'), file('top')],
      directories: ['deps/x', 'deps/y'],
    };
    const source = { a: '1', 'b/c': '2', 'b/d': '3' };
    const backwards = {
      files: [...parts.files].reverse(),
      directories: [...parts.directories].reverse(),
    };
    const reversed = Object.fromEntries(Object.entries(source).reverse());
    expect(manifestText(layOut(backwards, reversed).manifest)).toBe(
      manifestText(layOut(parts, source).manifest),
    );
  });

  test('is sorted bytewise', () => {
    expect(
      lines({}, { 'a-b': '', 'a/c': '', 'a.b': '', Z: '', ä: '', '\u{1f600}': '', '\uffee': '' }),
    ).toEqual([
      '0644 file app/Z',
      '0755 directory app/a',
      '0644 file app/a-b',
      '0644 file app/a.b',
      '0644 file app/a/c',
      '0644 file app/ä',
      '0644 file app/\uffee',
      '0644 file app/\u{1f600}',
      '0755 directory deps',
    ]);
  });
});

describe('names that are the same on some file systems', () => {
  const entries = (...paths: string[]): ManifestEntry[] =>
    paths.map((path) => ({ path, type: 'directory', mode: '0755', size: 0 }));

  test.each<[string, string[], string[][]]>([
    ['none', ['a', 'b', 'a b'], []],
    ['case', ['README', 'Readme', 'readme', 'x'], [['README', 'Readme', 'readme']]],
    [
      'a directory and what it holds',
      ['A', 'A/x', 'a', 'a/x', 'a/y'],
      [
        ['A', 'a'],
        ['A/x', 'a/x'],
      ],
    ],
    ['normalisation', ['e\u0301', 'é'], [['e\u0301', 'é']]],
    ['both', ['E\u0301', 'é'], [['E\u0301', 'é']]],
  ])('%s', (_what, paths, expected) => {
    expect(similarNames(entries(...paths))).toEqual(expected);
  });

  test('are flagged in the manifest, which is else as it was', () => {
    const { manifest } = layOut({}, { a: '1', A: '2' });
    const [head] = manifestText(manifest).split('\n');
    expect(head).toBe(
      `{"formatVersion":1,"time":${manifest.time},"similarNames":[["app/A","app/a"]],"entries":[`,
    );
    expect(manifestText(layOut({}, { a: '1' }).manifest)).not.toContain('similarNames');
  });

  test('cannot be hidden from whoever verifies', () => {
    const text = manifestText(layOut({}, { a: '1', A: '2' }).manifest);
    expect(readUntrustedManifest(text).entries).toHaveLength(3);
    expect(() => readUntrustedManifest(text.replace(/"similarNames":.*?\]\],/, ''))).toThrow(
      'its text is not the one that Stowage writes',
    );
  });
});
