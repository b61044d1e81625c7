import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type NewEntry,
  omitEntries,
  openSnapshot,
  writeSnapshot,
} from '../../../src/domain/sources/source-snapshot.ts';
import type { SourceTree } from '../../../src/domain/sources/source-tree.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';

const LIMITS = { entries: 1000, unpackedBytes: 100_000_000 };
let directory: string;
let blobs: FileBlobStore;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'snapshot-'));
  blobs = new FileBlobStore(join(directory, 'blobs'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(path: string, text: string | Buffer, mode: NewEntry['mode'] = '100644'): NewEntry {
  const bytes = Buffer.from(text as string);
  return {
    path,
    mode,
    size: bytes.length,
    content: {
      async *[Symbol.asyncIterator]() {
        yield bytes;
      },
    },
  };
}

const link = (path: string, target: string): NewEntry => ({ path, mode: '120000', size: 0, target });
const submodule = (path: string, commit: string): NewEntry => ({ path, mode: '160000', size: 0, commit });

const write = (entries: NewEntry[], limits = LIMITS, treeId: string | null = null) =>
  writeSnapshot(blobs, { commit: null, treeId, time: 1_600_000_000 }, entries, limits);

async function tree(entries: NewEntry[]): Promise<SourceTree> {
  return openSnapshot(blobs, (await write(entries)).snapshot);
}

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`;
  }
  return 'no error';
}

async function text(source: SourceTree, path: string): Promise<string> {
  let result = '';
  for await (const chunk of source.open(path)) result += chunk;
  return result;
}

describe('writing and reading', () => {
  test('gives back what was written, and the tree id that git gives', async () => {
    const commit = 'c'.repeat(40);
    const entries = [
      file('a-b', 'dash'),
      file('a.b', 'dot'),
      file('a/deep/x', 'x'),
      file('a/y', '#!/bin/sh\n', '100755'),
      file('a0', ''),
      link('link', 'a/y'),
      submodule('sub', commit),
      file('ü/😀', 'emoji'),
    ];
    const written = await write(entries);
    expect(written).toMatchObject({ files: 8, size: 4 + 3 + 1 + 10 + 5 });
    expect((await blobs.readWhole(written.pack)).toString()).toBe('dashdotx#!/bin/sh\nemoji');

    const source = await openSnapshot(blobs, written.snapshot);
    expect(source).toMatchObject({ commit: null, time: 1_600_000_000, treeId: written.treeId });
    expect([...source.entries.keys()]).toEqual(entries.map((entry) => entry.path));
    expect(source.entries.get('a/y')).toMatchObject({
      mode: '100755',
      size: 10,
      digest: `sha256:${createHash('sha256').update('#!/bin/sh\n').digest('hex')}`,
    });
    expect(source.lookup('link')).toMatchObject({ path: 'a/y' });
    expect(source.lookup('sub')).toMatchObject({ mode: '160000', commit });
    expect((await source.read('link')).toString()).toBe('#!/bin/sh\n');
    expect(await text(source, './a/../a-b')).toBe('dash');
    expect(await text(source, 'a0')).toBe('');
    expect(source.children('.')).toEqual(['a', 'a-b', 'a.b', 'a0', 'link', 'sub', 'ü']);
    expect(source.children('a')).toEqual(['deep', 'y']);
    expect(source.children('nowhere')).toEqual([]);

    const out = join(directory, 'out');
    execFileSync('mkdir', [out]);
    await source.exportTo(out);
    expect(readFileSync(join(out, 'ü/😀'), 'utf8')).toBe('emoji');
    expect(readlinkSync(join(out, 'link'))).toBe('a/y');
    expect(lstatSync(join(out, 'a/y')).mode & 0o777).toBe(0o755);
    expect(readdirSync(join(out, 'sub'))).toEqual([]);

    const run = (...words: string[]) =>
      execFileSync('git', ['-C', out, ...words], { encoding: 'utf8' }).trim();
    run('init', '-q');
    run('add', '.');
    run('update-index', '--add', '--cacheinfo', `160000,${commit},sub`);
    expect(run('write-tree')).toBe(written.treeId);
  });

  test('is the same for the same tree', async () => {
    const make = () => write([file('a', '1'), file('b', '2')]);
    expect(await make()).toEqual(await make());
  });

  test('an empty tree has the well-known id', async () => {
    const written = await write([]);
    expect(written).toMatchObject({ files: 0, size: 0, treeId: '4b825dc642cb6eb9a060e54bf8d69288fbee4904' });
    expect((await openSnapshot(blobs, written.snapshot)).lookup('.')).toBe('directory');
  });

  test('large files are streamed, small ones read in windows', async () => {
    const big = Buffer.alloc(18 * 1024 * 1024, 'abcdefg');
    const source = await tree([file('big', big), file('small/1', 'one'), file('small/2', 'two')]);
    const hash = createHash('sha256');
    for await (const chunk of source.open('big')) hash.update(chunk);
    expect(`sha256:${hash.digest('hex')}`).toBe(source.entries.get('big')?.digest);
    expect((await source.read('small/2')).toString()).toBe('two');
    expect((await source.read('small/1')).toString()).toBe('one');
    expect(await codeOf(() => source.read('big', 1000))).toBe(
      `package-rejected: The file big has ${big.length} bytes, more than the limit of 1000`,
    );
    const out = mkdtempSync(join(directory, 'out-'));
    await source.exportTo(out, { only: 'small' });
    expect(readdirSync(out)).toEqual(['small']);
    await source.exportTo(mkdtempSync(join(directory, 'out-')));
  });

  test('a missing file is an error of the request', async () => {
    const source = await tree([file('a/b', '')]);
    expect(await codeOf(() => source.read('a'))).toBe('invalid-input: There is no file a in the source');
    expect(await codeOf(() => source.open('x'))).toBe('invalid-input: There is no file x in the source');
  });
});

test('entries can be left out afterwards', async () => {
  const written = await write([file('a', '1'), link('b', '../x'), file('c', '3')]);
  const { index, pack } = await omitEntries(blobs, written.snapshot, new Set(['b']));
  expect(pack).toBe(written.pack);
  const source = await openSnapshot(blobs, index.digest);
  expect([...source.entries.keys()]).toEqual(['a', 'c']);
  expect((await source.read('c')).toString()).toBe('3');
});

describe('lookup', () => {
  const entries = [
    link('abs', '/etc/passwd'),
    link('dir', 'real/'),
    link('gone', 'real/nothing'),
    link('hidden', 'nothing/../../x'),
    link('loop', 'pool'),
    link('out', 'real/../../x'),
    link('pool', 'loop'),
    file('real/file', 'x'),
    link('real/top', '..'),
    link('self', 'self/x'),
    link('up', 'real/top/real/file'),
  ];
  test.each([
    ['dir/file', 'real/file'],
    ['dir', 'directory'],
    ['', 'directory'],
    ['real/top', 'directory'],
    ['real/top/real/top/dir/file', 'real/file'],
    ['up', 'real/file'],
    ['gone', null],
    ['loop', null],
    ['self', null],
    ['real/file/x', null],
    ['real/file/..', null],
    ['nothing/../real', null],
  ])('%s → %s', async (path, expected) => {
    const found = (await tree(entries)).lookup(path);
    expect(typeof found === 'object' && found ? found.path : found).toBe(expected);
  });

  test.each([
    ['abs', 'abs'],
    ['hidden', 'hidden'],
    ['out', 'out'],
    ['../x', '../x'],
    ['/etc', '/etc'],
    ['real/top/..', 'real/top/..'],
  ])('%s leaves the tree', async (path, named) => {
    const source = await tree(entries);
    expect(await codeOf(() => source.lookup(path))).toBe(
      `path-outside-root: The destination of '${named}' is outside of cloned repository`,
    );
  });

  test('links that leave the tree are not exported', async () => {
    const out = mkdtempSync(join(directory, 'out-'));
    await (await tree(entries)).exportTo(out);
    expect(readdirSync(out).sort()).toEqual(['dir', 'gone', 'loop', 'pool', 'real', 'self', 'up']);
  });

  test('export refuses a directory in which something is in its way', async () => {
    const out = mkdtempSync(join(directory, 'out-'));
    execFileSync('ln', ['-s', directory, join(out, 'real')]);
    expect(await codeOf(async () => (await tree(entries)).exportTo(out))).toMatch(/^EEXIST/);
    writeFileSync(join(directory, 'untouched'), '');
  });
});

describe('refused', () => {
  const long = 'x'.repeat(256);
  test.each<[string, NewEntry[], string]>([
    ['parent', [file('a/../../b', '')], 'path-outside-root: The path "a/../../b" is outside of the source'],
    ['absolute', [file('/b', '')], 'path-outside-root: The path "/b" is outside of the source'],
    ['no name', [file('', '')], 'path-outside-root: The path "" is outside of the source'],
    [
      'NUL',
      [file('a\0b', '')],
      'unexpected-format: The path "a\\u0000b" of the source contains a NUL character',
    ],
    [
      'empty part',
      [file('a//b', '')],
      'unexpected-format: The path "a//b" of the source has an empty component',
    ],
    ['dot', [file('a/./b', '')], 'unexpected-format: The path "a/./b" of the source has an empty component'],
    [
      'git directory',
      [file('.git/config', '')],
      'unexpected-format: The path ".git/config" of the source would lie in the git directory',
    ],
    [
      'its other case',
      [file('a/.GiT', '')],
      'unexpected-format: The path "a/.GiT" of the source would lie in the git directory',
    ],
    [
      'its short name',
      [file('GIT~1/x', '')],
      'unexpected-format: The path "GIT~1/x" of the source would lie in the git directory',
    ],
    [
      'its disguise',
      [file('.g\u200cit/x', '')],
      'unexpected-format: The path ".g\u200cit/x" of the source would lie in the git directory',
    ],
    [
      'no UTF-8',
      [file('a\ufffd', '')],
      'unexpected-format: The path "a\ufffd" of the source is not valid UTF-8',
    ],
    [
      'long name',
      [file(long, '')],
      `unexpected-format: The path "${'x'.repeat(200)}…" of the source has a component of more than 255 bytes`,
    ],
    ['twice', [file('a', ''), file('a', '')], 'unexpected-format: The source has two entries for the path a'],
    [
      'below a file',
      [file('a', ''), file('a-b', ''), file('a/b/c', '')],
      'unexpected-format: The source has two entries for the path a',
    ],
    [
      'below a link',
      [link('a', 'x'), file('a/b', '')],
      'unexpected-format: The source has two entries for the path a',
    ],
    [
      'too small',
      [{ ...file('a', 'abc'), size: 5 }],
      'unexpected-format: The file a does not have the 5 bytes it announces',
    ],
    [
      'too large',
      [{ ...file('a', 'abc'), size: 1 }],
      'unexpected-format: The file a does not have the 1 bytes it announces',
    ],
    [
      'wrong id',
      [{ ...file('a', 'abc'), objectId: 'f'.repeat(40) }],
      'unexpected-format: The content of a is not that of its git object',
    ],
    ['empty link', [link('a', '')], 'unexpected-format: The symbolic link a has a target that is no path'],
    [
      'unsorted',
      [file('b', ''), file('a', '')],
      'undefined: Entries of a snapshot must be sorted: a comes after b',
    ],
  ])('%s', async (_name, entries, message) => {
    expect(await codeOf(() => write(entries))).toBe(message);
    expect(readdirSync(join(directory, 'blobs', 'tmp'))).toEqual([]);
  });

  test('more than the limits', async () => {
    const limits = { entries: 2, unpackedBytes: 5 };
    expect(await codeOf(() => write([file('a', ''), file('b', ''), file('c', '')], limits))).toBe(
      'package-rejected: The source has more than 2 entries',
    );
    expect(await codeOf(() => write([file('a', 'abc'), file('b', 'abc')], limits))).toBe(
      'package-rejected: The files of the source have more than 5 bytes',
    );
  });

  test('files may lie below a submodule, and are no part of its parent', async () => {
    const alone = await write([submodule('sub', 'c'.repeat(40))]);
    const filled = await write([submodule('sub', 'c'.repeat(40)), file('sub-x/y', ''), file('sub/x', 'x')]);
    const without = await write([submodule('sub', 'c'.repeat(40)), file('sub-x/y', '')]);
    expect(filled.treeId).toBe(without.treeId);
    expect(alone.treeId).not.toBe(filled.treeId);
    expect((await openSnapshot(blobs, filled.snapshot)).lookup('sub')).toBe('directory');
  });
});
