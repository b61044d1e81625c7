import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { GitModulesSyntaxError, parseGitModules } from '../../../src/workers/git/git-modules.ts';
import { processorMs } from '../../support/processor-time.ts';
import { temporaryDirectory } from '../../support/resolve-context.ts';

const TEXTS: [string, string][] = [
  ['a plain one', '[submodule "lib"]\n\tpath = vendor/lib\n\turl = https://git.example/lib.git\n'],
  ['no final line break', '[submodule "lib"]\n\tpath = lib\n\turl = ../lib.git'],
  ['line ends of Windows', '[submodule "lib"]\r\n\tpath = lib\r\n\turl = ../lib.git\r\n'],
  ['two in one', '[submodule "a"]\npath=a\nurl=./a\n[submodule "b"]\npath=b\nurl=./b\n'],
  [
    'one in two parts',
    '[submodule "a"]\npath=a\n[submodule "b"]\npath=b\nurl=./b\n[submodule "a"]\nurl=./a\n',
  ],
  ['the last value counts', '[submodule "a"]\npath=a\nurl=./a\nurl=./c\n'],
  ['letters of any case', '[SubModule "A b"]\nPATH=a\nUrl=./a\n'],
  ['comments', '# one\n; two\n[submodule "a"] # three\npath = a ; four\nurl = "./a#b" # five\n'],
  ['a key beside its section', '[submodule "a"] path = a\nurl = ./a\n'],
  ['escapes', '[submodule "a\\"b\\\\c"]\npath = "a\\tb"\nurl = ./a\\\\b\n'],
  ['a value over two lines', '[submodule "a"]\npath = a\nurl = ./a\\\nb\n'],
  ['blanks within and around', '[submodule "a"]\npath =   a b  \nurl = " ./a "  \n'],
  [
    'other sections',
    '[core]\nfsmonitor = /bin/false\n[include]\npath = /etc/passwd\n[submodule "a"]\npath=a\nurl=./a\n',
  ],
  ['a section without a name', '[submodule]\nrecurse = true\n[submodule "a"]\npath=a\nurl=./a\n'],
  ['other keys', '[submodule "a"]\npath=a\nurl=./a\nbranch = main\nshallow\n'],
  ['nothing', ''],
];

describe('reads what git reads', () => {
  test.each(TEXTS)('%s', (_, text) => {
    const found = parseGitModules(text).map(({ name, path, url }) => [name, path, url]);
    expect(found).toEqual(readByGit(text));
  });
});

test.each([
  ['[submodule "a"]\npath = a\n', []],
  ['[submodule "a"]\nurl = ./a\n', []],
  ['[submodule "a"]\npath = a/\nurl = ./a\n', [{ name: 'a', path: 'a', url: './a', isFetched: true }]],
  [
    '[submodule "a"]\npath = a\nurl = ./a\nupdate = none\n',
    [{ name: 'a', path: 'a', url: './a', isFetched: false }],
  ],
  [
    '[submodule "a"]\npath = a\nurl = ./a\nupdate = !rm -rf /\n',
    [{ name: 'a', path: 'a', url: './a', isFetched: true }],
  ],
])('%j', (text, expected) => {
  expect(parseGitModules(text)).toEqual(expected);
});

test.each([
  ['[submodule "a"', 1],
  ['[submodule "a"]\n[sub module]\n', 2],
  ['[submodule "a"]\n= x\n', 2],
  ['[submodule "a"]\npath = "a\n', 2],
  ['[submodule "a"]\npath = a\nurl = a\\q\n', 3],
  ['\u0000\u0001', 1],
])('refuses %j', (text, line) => {
  expect(() => parseGitModules(text)).toThrow(new GitModulesSyntaxError(line));
});

function readByGit(text: string): string[][] {
  const file = join(temporaryDirectory(), 'gitmodules');
  writeFileSync(file, text);
  const output = execFileSync('git', ['config', '--file', file, '--no-includes', '--null', '--list']);
  const modules = new Map<string, Record<string, string>>();
  for (const row of output.toString().split('\0')) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(row) ?? [];
    if (name !== undefined) modules.set(name, { ...modules.get(name), [key!]: value! });
  }
  return [...modules].map(([name, { path, url }]) => [name, path!, url!]);
}

test('a long hostile line takes no time', async () => {
  for (const value of [`${'\\\\'.repeat(100_000)}x`, `${'/'.repeat(200_000)}x`, '/'.repeat(200_000)]) {
    const text = `[submodule "a"]\n\turl = ../a.git\n\tpath = ${value}\n`;
    expect(await processorMs(() => parseGitModules(text))).toBeLessThan(1_000);
  }
  const [module] = parseGitModules('[submodule "a"]\nurl = ../a.git\npath = vendor/a//\n');
  expect(module!.path).toBe('vendor/a');
});
