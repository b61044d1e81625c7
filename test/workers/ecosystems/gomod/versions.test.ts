import { describe, expect, test } from 'vitest';
import {
  escapeModulePath,
  escapeVersion,
  isCanonicalVersion,
  matchesPatterns,
  unescapeModulePath,
} from '../../../../src/workers/ecosystems/gomod/module-path.ts';
import { moduleVersion } from '../../../../src/workers/ecosystems/gomod/module-version.ts';
import { isOlderGo } from '../../../../src/workers/ecosystems/gomod/toolchain.ts';

const HERE = 'abcdef0123456789abcdef0123456789abcdef01';
const BEFORE = '0'.repeat(40);
/** 2021-02-03 04:05:06 UTC */
const TIME = Date.UTC(2021, 1, 3, 4, 5, 6) / 1000;
const STAMP = '20210203040506-abcdef012345';

describe('the version of a module of the source', () => {
  const here = (...names: string[]) => names.map((name) => ({ name, commit: HERE }));
  const earlier = (...names: string[]) => names.map((name) => ({ name, commit: BEFORE }));

  test.each([
    ['no tags', 'example.test/m', '.', [], `v0.0.0-${STAMP}`],
    ['no tags, major from the name', 'example.test/m/v3', '.', [], `v3.0.0-${STAMP}`],
    ['the highest on the commit', 'example.test/m', '.', here('v1.2.0', 'v1.10.0', 'v1.9.0'), 'v1.10.0'],
    ['of the major in the name', 'example.test/m/v2', '.', here('v1.2.0', 'v2.0.1', 'v3.0.0'), 'v2.0.1'],
    ['1 before 0', 'example.test/m', '.', here('v0.9.0', 'v1.0.0'), 'v1.0.0'],
    ['0 when there is no 1', 'example.test/m', '.', here('v0.9.0', 'v2.0.0'), 'v0.9.0'],
    [
      'a tag on the commit before older ones',
      'example.test/m',
      '.',
      [...here('v0.9.0'), ...earlier('v1.0.0')],
      'v0.9.0',
    ],
    ['after an older one', 'example.test/m', '.', earlier('v1.2.3', 'v1.2.2'), `v1.2.4-0.${STAMP}`],
    ['after a pre-release', 'example.test/m', '.', earlier('v1.2.3-rc.1'), `v1.2.3-rc.1.0.${STAMP}`],
    ['a release after its pre-release', 'example.test/m', '.', here('v1.2.3-rc.1', 'v1.2.3'), 'v1.2.3'],
    ['in a folder', 'example.test/m/sub', 'sub', here('v1.2.0', 'sub/v1.1.0', 'other/sub/v1.5.0'), 'v1.1.0'],
    ['in a folder for a major version', 'example.test/m/v2', 'v2', here('v2.3.0', 'v2/v2.9.0'), 'v2.3.0'],
    ['in such a folder below another', 'example.test/m/a/v2', 'a/v2', here('v2.3.0', 'a/v2.4.0'), 'v2.4.0'],
    [
      'no versions',
      'example.test/m',
      '.',
      here('1.0.0', 'v1.0', 'release', 'v1.0.0+meta', 'v01.0.0'),
      `v0.0.0-${STAMP}`,
    ],
  ])('%s', (_, module, directory, tags, expected) => {
    const version = moduleVersion(module, directory, tags, { id: HERE, time: TIME });
    expect(version).toBe(expected);
  });
});

describe('module paths', () => {
  test('upper-case letters are escaped', () => {
    expect(escapeModulePath('example.test/BurntSushi/toml')).toBe('example.test/!burnt!sushi/toml');
    expect(unescapeModulePath('example.test/!burnt!sushi/toml')).toBe('example.test/BurntSushi/toml');
    expect(escapeVersion('v1.0.0-RC1')).toBe('v1.0.0-!r!c1');
  });

  test.each([
    '',
    '..',
    'a/../b',
    'a//b',
    '/a',
    'a/',
    'a b',
    'a\0',
    'a\\b',
    'a?b',
    'é',
    './a',
    'a/...',
    '-\n',
  ])('refuses %j', (path) => {
    expect(() => escapeModulePath(path)).toThrow('The module path');
    expect(unescapeModulePath(path)).toBe(null);
  });

  test.each(['v1/../..', '', 'a b', '..'])('refuses the version %j', (version) => {
    expect(() => escapeVersion(version)).toThrow('The module version');
  });

  test.each([
    ['v1.2.3', true],
    ['v1.2.3-pre.1', true],
    ['v2.0.0+incompatible', true],
    ['v0.0.0-20200101000000-abcdefabcdef', true],
    ['v0.0.1-go1.26.1.linux-amd64', true],
    ['v1.2', false],
    ['v1.2.3+meta', false],
    ['v01.2.3', false],
    ['master', false],
  ])('whether %s stands for ever: %s', (version, expected) => {
    expect(isCanonicalVersion(version)).toBe(expected);
  });

  test.each([
    ['*.corp.example,rsc.io/private', 'git.corp.example/x/y', true],
    ['*.corp.example,rsc.io/private', 'rsc.io/private', true],
    ['*.corp.example,rsc.io/private', 'rsc.io/private/quux', true],
    ['*.corp.example,rsc.io/private', 'rsc.io/public', false],
    ['*.corp.example,rsc.io/private', 'rsc.io/privateer', false],
    ['example.test/*/', 'example.test/a/b', true],
    ['', 'example.test/a', false],
  ])('GOPRIVATE=%s matches %s: %s', (patterns, path, expected) => {
    expect(matchesPatterns(patterns, path)).toBe(expected);
  });
});

describe('versions of Go', () => {
  const order = [
    '1.9',
    '1.17',
    '1.20',
    '1.20rc1',
    '1.20.0',
    '1.20.3',
    '1.21',
    '1.21rc2',
    '1.21.0',
    '1.26.8',
    '2.0',
  ];
  test.each(order.slice(1).map((version, index) => [order[index]!, version]))(
    '%s is older than %s',
    (a, b) => {
      expect([isOlderGo(a, b), isOlderGo(b, a), isOlderGo(a, a)]).toEqual([true, false, false]);
    },
  );
});
