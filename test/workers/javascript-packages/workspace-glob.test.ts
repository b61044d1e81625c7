import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { workspaceTest } from '../../../src/workers/javascript-packages/workspace-glob.ts';
import { processorMs } from '../../support/processor-time.ts';

const isNamed = (folder: string, glob: string): boolean => workspaceTest([glob])?.(folder) ?? false;

describe('the same as node, where that is quick', () => {
  const folders = [
    'a',
    'ab',
    'a.b',
    'packages',
    'packages/a',
    'packages/ab',
    'packages/a/b',
    'packages/a/b/c',
    'packages/.hidden',
    'apps/web',
    'apps/api',
    'libs/x/y',
    '@scope/name',
    'a-b',
    'a1',
    'a2',
    'b1',
    'aXb',
    'aXbXc',
    '.hidden',
    'x{y}',
    '../client',
  ];
  test.each([
    'a',
    '*',
    '**',
    'packages/*',
    'packages/**/c',
    '**/c',
    '{apps,packages}/*',
    '{apps/{web,api},libs/**}',
    '@*/*',
    '@scope/name',
    'a?',
    'a[12]',
    'a[!1]',
    '[ab]1',
    'a*b',
    'a*b*c',
    '*.b',
    'packages/.*',
    '.*',
    'x{y}',
    'packages/*/*',
    '../*',
    'a-[b-z]',
  ])('%s', (glob) => {
    const matching = (matches: (folder: string) => boolean) => folders.filter(matches);
    expect(matching((folder) => isNamed(folder, glob))).toEqual(
      matching((folder) => posix.matchesGlob(folder, glob)),
    );
  });
});

test('npm looks for package.json below the glob: two stars at the end are the folder itself, too', () => {
  expect(isNamed('packages', 'packages/**')).toBe(true);
  expect(isNamed('packages/a/b', 'packages/**')).toBe(true);
  expect(isNamed('other', 'packages/**')).toBe(false);
});

test.each(['/packages/*', './packages/*', 'packages/*/', './/packages//*', '/packages/a/'])(
  'npm reads %s from the root of the package',
  (glob) => {
    expect(isNamed('packages/a', glob)).toBe(true);
    expect(isNamed('other/a', glob)).toBe(false);
  },
);

test.each<[string, string, string, boolean]>([
  ['braces', '{a,b}'.repeat(20), 'ab'.repeat(10), false],
  ['a range', '{1..9999999}', '1', false],
  ['stars', `${'a*'.repeat(300)}b`, 'a'.repeat(2000), false],
  ['stars that match', `${'a*'.repeat(300)}b`, `${'a'.repeat(2000)}b`, true],
  ['globstars', `${'**/'.repeat(500)}x`, `${'a/'.repeat(500)}y`, false],
  ['extended globs', '*(a|*(a|*(a)))b', 'a'.repeat(35), false],
  ['open braces', '{'.repeat(4000), 'a', false],
  ['length', 'a'.repeat(100_000), 'a', false],
])('does not take long for hostile %s', async (_, glob, folder, expected) => {
  const milliseconds = await processorMs(() => expect(isNamed(folder, glob)).toBe(expected));
  expect(milliseconds).toBeLessThan(1000);
});

test('plain paths may be as many as one likes', () => {
  const globs = Array.from({ length: 100_000 }, (_, index) => `./packages/${index}/`);
  const isWorkspace = workspaceTest(['libs/*', ...globs])!;
  expect(isWorkspace('packages/99999')).toBe(true);
  expect(isWorkspace('libs/a')).toBe(true);
  expect(isWorkspace('packages/100000')).toBe(false);
  expect(workspaceTest(Array<string>(257).fill('a/*'))).toBeNull();
});
