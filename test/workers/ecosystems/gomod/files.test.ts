import { describe, expect, test } from 'vitest';
import { detect } from '../../../../src/workers/ecosystems/gomod/detect.ts';
import { parseGoMod } from '../../../../src/workers/ecosystems/gomod/go-mod-file.ts';
import { parseGoSum } from '../../../../src/workers/ecosystems/gomod/go-sum.ts';
import { parseVendorModules } from '../../../../src/workers/ecosystems/gomod/vendor-modules.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';

describe('go.mod', () => {
  test('directives in lines and in blocks, with quotes and comments', () => {
    const text = [
      '// A comment.',
      'module "example.test/project" // another',
      'go 1.22.1',
      'toolchain go1.23.0',
      'godebug default=go1.21',
      'require example.test/a v1.0.0 // indirect',
      'require (',
      '\texample.test/b v0.0.0-20200101000000-abcdefabcdef',
      '',
      '\t`example.test/c` v2.0.0+incompatible//comment',
      ')',
      'exclude example.test/a v1.1.0',
      'retract [v1.0.0, v1.2.0] // broken',
      'retract (',
      '\tv1.3.0',
      ')',
      'replace(',
      'example.test/a => ../a',
      'example.test/b v1.0.0 => "./with space"',
      'example.test/c => example.test/d v1.5.0',
      'example.test/e v1.0.0 => example.test/f v1.6.0',
      ')',
    ].join('\r\n');
    expect(parseGoMod('go.mod', text)).toEqual({
      module: 'example.test/project',
      go: '1.22.1',
      toolchain: 'go1.23.0',
      require: [
        { path: 'example.test/a', version: 'v1.0.0' },
        { path: 'example.test/b', version: 'v0.0.0-20200101000000-abcdefabcdef' },
        { path: 'example.test/c', version: 'v2.0.0+incompatible' },
      ],
      replace: [
        { path: 'example.test/a', version: null, newPath: '../a', newVersion: null },
        { path: 'example.test/b', version: 'v1.0.0', newPath: './with space', newVersion: null },
        { path: 'example.test/c', version: null, newPath: 'example.test/d', newVersion: 'v1.5.0' },
        { path: 'example.test/e', version: 'v1.0.0', newPath: 'example.test/f', newVersion: 'v1.6.0' },
      ],
      use: [],
    });
  });

  test('a workspace', () => {
    const { go, use } = parseGoMod('go.work', 'go 1.22\n\nuse ./a\n\nuse (\n\t.\n\t"../b"\n)\n');
    expect([go, use]).toEqual(['1.22', ['./a', '.', '../b']]);
  });

  test.each([
    'module a b',
    'module "a',
    'require a',
    'require (\na v1 v2\n)',
    'replace a b',
    'replace => b',
    'replace a => b c d',
    'go',
    'use a b',
  ])('refuses %j', (text) => {
    expect(() => parseGoMod('x/go.mod', text)).toThrow(/^x\/go\.mod:\d+: unexpected format$/);
  });

  test('a very long line takes no time', () => {
    const words = 'a '.repeat(200_000);
    expect(() => parseGoMod('go.mod', `require ${words}`)).toThrow('go.mod:1: unexpected format');
    expect(() => parseGoMod('go.mod', `require "${'\\'.repeat(200_001)}`)).toThrow('unexpected format');
  });
});

describe('go.sum', () => {
  test('archives and go.mod files; unknown hashes are passed over, and the first of two lines counts', () => {
    const { zips, mods } = parseGoSum(
      'go.sum',
      'a v1.0.0 h1:zip=\na v1.0.0/go.mod h1:mod=\n\na v1.0.0 h2:other=\r\na v1.0.0 h1:second=\n',
    );
    expect([...zips]).toEqual([['a@v1.0.0', { path: 'a', version: 'v1.0.0', h1: 'h1:zip=' }]]);
    expect([...mods]).toEqual([['a@v1.0.0', { path: 'a', version: 'v1.0.0', h1: 'h1:mod=' }]]);
  });
});

describe('vendor/modules.txt', () => {
  test('modules that have packages, as they are after replacements', () => {
    const text = [
      '# example.test/a v1.0.0',
      '## explicit; go 1.20',
      'example.test/a',
      'example.test/a/sub',
      '# example.test/unused v1.0.0',
      '# example.test/b v1.0.0 => ./b',
      'example.test/b',
      '# example.test/c v1.0.0 => example.test/d v2.0.0',
      'example.test/c',
      '# example.test/e => ../e',
      'example.test/e',
      '# example.test/f => example.test/g v3.0.0',
      'example.test/f',
      '# example.test/unused => ./nowhere',
      '',
    ].join('\n');
    expect(parseVendorModules(text)).toEqual([
      { path: 'example.test/a', version: 'v1.0.0' },
      { path: 'example.test/b', version: './b' },
      { path: 'example.test/d', version: 'v2.0.0' },
      { path: 'example.test/e', version: '../e' },
      { path: 'example.test/g', version: 'v3.0.0' },
    ]);
  });

  test.each([
    ['# example.test/a', "vendor/modules.txt: unexpected module line format: '# example.test/a'"],
    ['# a v1 => b v2 c', "vendor/modules.txt: unexpected module line format: '# a v1 => b v2 c'"],
    ['# a v1 x => b', "vendor/modules.txt: unexpected module line format: '# a v1 x => b'"],
    ['example.test/a', 'vendor/modules.txt: package has no parent module: example.test/a'],
    ['# a v1\nwith blank', "vendor/modules.txt: unexpected format: 'with blank'"],
    ['#odd', "vendor/modules.txt: unexpected format: '#odd'"],
  ])('refuses %j', (text, message) => {
    expect(() => parseVendorModules(text)).toThrow(
      expect.objectContaining({ name: 'InvalidFileFormat', code: 'unexpected-format', message }),
    );
  });
});

describe('detection', () => {
  test('finds modules, but not those that go passes over', async () => {
    const tree = memorySourceTree({
      'go.mod': '',
      'go.sum': '',
      'tools/go.mod': '',
      'vendor/x/go.mod': '',
      'a/testdata/go.mod': '',
      '_old/go.mod': '',
      '.hidden/go.mod': '',
      'web/node_modules/x/go.mod': '',
      'xgo.mod': '',
    });
    expect(await detect(tree)).toEqual([
      { options: { path: '.' }, evidence: ['go.mod', 'go.sum'] },
      { options: { path: 'tools' }, evidence: ['tools/go.mod'] },
    ]);
  });
});
