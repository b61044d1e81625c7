import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DirectoryFiles, type FilesWanted } from '../../../src/workers/sources/directory-files.ts';

let outside: string;
let root: string;

beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), 'stowage-directory-files-'));
  root = join(outside, 'root');
  mkdirSync(root);
});
afterEach(() => rmSync(outside, { recursive: true, force: true }));

function write(files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

const wanted: FilesWanted = {
  names: new Set(['lock', 'list']),
  isEntered: (name) => !name.startsWith('.'),
  isKept: (path) => !path.startsWith('left/'),
  most: 100,
  signal: new AbortController().signal,
};
const find = (options: Partial<FilesWanted> = {}) => DirectoryFiles.find(root, { ...wanted, ...options });

test('the files of the wanted names, sorted, and the others when they are asked for', async () => {
  write({
    'b/lock': 'one',
    'a-b/list': '',
    lock: '',
    'a/lock': '',
    '.git/lock': '',
    'left/lock': '',
    'a/x': 'ex',
  });
  mkdirSync(join(root, 'b/list'));
  const { files, unusable, isCut } = await find();
  expect([...files.entries.keys()]).toEqual(['a-b/list', 'a/lock', 'b/lock', 'lock']);
  expect({ unusable, isCut }).toEqual({ unusable: [], isCut: false });
  expect(files.entries.get('b/lock')).toEqual({ path: 'b/lock', mode: '100644', size: 3 });
  expect(files.lookup('./a/../a/x')).toEqual({ path: 'a/x', mode: '100644', size: 2 });
  expect([files.lookup('.'), files.lookup('a'), files.lookup('b/list')]).toEqual(Array(3).fill('directory'));
  expect([files.lookup('c'), files.lookup('lock/x'), files.lookup('a\0')]).toEqual([null, null, null]);
  expect((await files.read('b/lock')).toString()).toBe('one');
  expect(await text(files.open('b/lock'))).toBe('one');
  await expect(files.read('b/lock', 2)).rejects.toThrow(
    'The file b/lock has 3 bytes, more than the limit of 2',
  );
  await expect(files.read('c')).rejects.toThrow('There is no file c in the source');
});

test('links are followed inside only', async () => {
  writeFileSync(join(outside, 'lock'), 'secret');
  write({ 'real/x': 'ex' });
  mkdirSync(join(root, 'd'));
  for (const [path, target] of [
    ['lock', 'real/x'],
    ['d/lock', '../../lock'],
    ['d/list', 'nothing'],
    ['list', 'list'],
    ['real/lock', '/etc/passwd'],
    ['out', '..'],
    ['real/list', '../d'],
  ] as const) {
    symlinkSync(target, join(root, path));
  }
  const { files, unusable } = await find();
  expect([...files.entries.values()]).toEqual([{ path: 'lock', mode: '100644', size: 2 }]);
  expect(unusable).toEqual(['d/list', 'd/lock', 'list', 'real/list', 'real/lock']);
  expect((await files.read('lock')).toString()).toBe('ex');
  for (const path of ['d/lock', 'out/lock', '../lock', 'real/lock']) {
    await expect(files.read(path)).rejects.toMatchObject({ code: 'path-outside-root' });
  }
});

test('no more than are wanted are kept, and an abort ends the search', async () => {
  write({ 'a/lock': '', 'b/lock': '', 'c/lock': '' });
  const { files, isCut } = await find({ most: 2 });
  expect([...files.entries.keys()]).toEqual(['a/lock', 'b/lock']);
  expect(isCut).toBe(true);
  expect((await find({ most: 3 })).isCut).toBe(false);
  await expect(find({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
});
