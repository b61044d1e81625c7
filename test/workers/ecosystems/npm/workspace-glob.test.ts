import { posix } from 'node:path';
import { describe, expect, test } from 'vitest';
import { matchesWorkspaceGlob } from '../../../../src/workers/ecosystems/npm/workspace-glob.ts';

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
    expect(matching((folder) => matchesWorkspaceGlob(folder, glob))).toEqual(
      matching((folder) => posix.matchesGlob(folder, glob)),
    );
  });
});

test('npm looks for package.json below the glob: two stars at the end are the folder itself, too', () => {
  expect(matchesWorkspaceGlob('packages', 'packages/**')).toBe(true);
  expect(matchesWorkspaceGlob('packages/a/b', 'packages/**')).toBe(true);
  expect(matchesWorkspaceGlob('other', 'packages/**')).toBe(false);
});

test.each(['/packages/*', './packages/*', 'packages/*/', './/packages//*', '/packages/a/'])(
  'npm reads %s from the root of the package',
  (glob) => {
    expect(matchesWorkspaceGlob('packages/a', glob)).toBe(true);
    expect(matchesWorkspaceGlob('other/a', glob)).toBe(false);
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
])('does not take long for hostile %s', (_, glob, folder, expected) => {
  const startedAt = performance.now();
  expect(matchesWorkspaceGlob(folder, glob)).toBe(expected);
  expect(performance.now() - startedAt).toBeLessThan(1000);
});
