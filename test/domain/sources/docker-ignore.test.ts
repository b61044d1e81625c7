import { expect, test } from 'vitest';
import { ignoreRule } from '../../../src/domain/sources/docker-ignore.ts';

/** Patterns, what they leave out, and what they do not. */
const RULES: [text: string, ignored: string[], kept: string[]][] = [
  ['', [], ['a', 'a/b']],
  ['# a\n\n  \n', [], ['a', '# a']],
  ['a', ['a', 'a/b', 'a/b/c'], ['b/a', 'ab', 'A']],
  ['/a/', ['a', 'a/b'], ['b/a']],
  ['./a/../b', ['b', 'b/c'], ['a']],
  ['  a  \r\nb', ['a', 'b'], ['c']],
  ['\ufeffa', ['a'], ['b']],
  ['*.md', ['README.md', '.md'], ['docs/README.md', 'README.mdx']],
  ['*/temp*', ['sub/temp', 'sub/temporary.txt', 'sub/temp/x'], ['temp', 'a/sub/temp']],
  ['*/*/temp*', ['a/b/temp', 'a/b/temp.txt'], ['a/temp', 'a/b/c/temp']],
  ['temp?', ['tempa', 'tempb/x'], ['temp', 'tempab', 'temp/']],
  ['**/*.go', ['a.go', 'a/b.go', 'a/b/c.go', '.go'], ['a.gox', 'go']],
  ['**/node_modules', ['node_modules/x', 'a/node_modules/x', 'a/b/node_modules'], ['a/node_modules2']],
  ['a/**/z', ['a/z', 'a/b/z', 'a/b/c/z/d'], ['a/bz', 'z', 'a/b']],
  ['a/**', ['a/b', 'a/b/c'], ['a', 'b']],
  ['**', ['a', 'a/b', '.x'], []],
  ['*', ['a', 'a/b', '.x'], []],
  ['*\n!a', ['b', 'c/a'], ['a', 'a/b']],
  ['*.md\n!README.md', ['x.md'], ['README.md']],
  ['*.md\n!README*.md\nREADME-secret.md', ['x.md', 'README-secret.md'], ['README.md', 'README-x.md']],
  ['build/\n!build/keep', ['build/a', 'build/b/c'], ['build/keep', 'build/keep/x']],
  ['[a-c]x[^d]', ['axe', 'bxx'], ['dxe', 'axd', 'ax']],
  ['a\\*b', ['a*b'], ['aab', 'ab']],
  ['a.c', ['a.c'], ['abc']],
  ['a$(b)', ['a$(b)'], ['a']],
  ['نام*', ['نام فایل.txt'], ['نا']],
  ['.', [], ['a']],
  ['../a', [], ['a', 'b/a']],
];

test.each(RULES)('%j', (text, ignored, kept) => {
  const isIgnored = ignoreRule(text);
  expect(ignored.filter((path) => !isIgnored(path))).toEqual([]);
  expect(kept.filter((path) => isIgnored(path))).toEqual([]);
});

test.each([
  ['!', 'The .dockerignore has an exception without a pattern: "!"'],
  ['[a', 'The .dockerignore has the broken pattern "[a"'],
  ['a*\\', 'The .dockerignore has the broken pattern "a*\\"'],
  ['a\n'.repeat(10_001), 'The .dockerignore has more than 10000 patterns'],
])('%j is refused', (text, message) => {
  expect(() => ignoreRule(text)).toThrow(message);
});

test('patterns that make others run for ever', () => {
  const isIgnored = ignoreRule(`${'*a'.repeat(50)}b\n${'**/'.repeat(50)}x`);
  expect(isIgnored('a'.repeat(255))).toBe(false);
  expect(isIgnored('a/'.repeat(1000))).toBe(false);
});
