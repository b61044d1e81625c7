import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ValidationError } from '../../../../src/domain/errors.ts';
import { createDependencyLookup, parseLockFile } from '../../../../src/workers/ecosystems/npm/lock-file.ts';
import { isPackageName, isVersion } from '../../../../src/workers/javascript-packages/package-name.ts';

const HEAD = { name: 'application', version: '1.0.0' };

function parse(document: unknown, path = 'package-lock.json') {
  const text = typeof document === 'string' ? document : JSON.stringify(document);
  return parseLockFile(path, Buffer.from(text));
}

const packages = (items: Record<string, unknown>) => ({
  ...HEAD,
  lockfileVersion: 3,
  packages: { '': HEAD, ...items },
});
const tree = (items: Record<string, unknown>) => ({ ...HEAD, lockfileVersion: 1, dependencies: items });

test('versions 1, 2 and 3 give one form', () => {
  const installed = {
    'node_modules/a': {
      version: '1.0.0',
      resolved: 'https://r/a.tgz',
      integrity: 'sha1-x',
      dependencies: { b: '^1.0.0' },
    },
    'node_modules/a/node_modules/b': { version: '1.5.0', dev: true },
    'node_modules/b': { version: '2.0.0', bundled: true },
  };
  const nested = {
    a: {
      version: '1.0.0',
      resolved: 'https://r/a.tgz',
      integrity: 'sha1-x',
      requires: { b: '^1.0.0' },
      dependencies: { b: { version: '1.5.0', dev: true } },
    },
    b: { version: '2.0.0', bundled: true },
  };
  const byLocation = (document: unknown) =>
    parse(document).entries.sort((x, y) => (x.location < y.location ? -1 : 1));
  const expected = byLocation(packages(installed));
  expect(byLocation(tree(nested))).toEqual(expected);
  expect(
    byLocation({ ...HEAD, lockfileVersion: 2, packages: { '': HEAD, ...installed }, dependencies: nested }),
  ).toEqual(expected);
  expect(expected[0]).toEqual({
    location: 'node_modules/a',
    name: 'a',
    alias: null,
    version: '1.0.0',
    source: 'https://r/a.tgz',
    integrity: 'sha1-x',
    bundled: false,
    dev: false,
    hasInstallScript: false,
    license: null,
    dependencies: ['b'],
  });
});

test('a shrinkwrap without a version number is of version 1', () => {
  const { lockfileVersion, entries } = parse({ ...HEAD, dependencies: { a: { version: '1.0.0' } } });
  expect([lockfileVersion, entries.length]).toEqual([1, 1]);
});

test('aliases have the name of what is installed', () => {
  const [modern] = parse(packages({ 'node_modules/x': { name: '@s/real', version: '1.0.0' } })).entries;
  const [old] = parse(tree({ x: { version: 'npm:@s/real@1.0.0', integrity: 'sha1-x' } })).entries;
  for (const entry of [modern!, old!]) {
    expect(entry).toMatchObject({
      name: '@s/real',
      alias: 'x',
      version: '1.0.0',
      source: null,
      location: 'node_modules/x',
    });
  }
});

test('links are no entries; folders of the source are file dependencies named after themselves', () => {
  const lock = parse(
    packages({
      'node_modules/client': { resolved: 'packages/client', link: true },
      'packages/client': { version: '1.0.0' },
      'packages/@s/other': { version: '1.0.0' },
      'packages/named': { name: 'elsewhere', version: '1.0.0' },
    }),
  );
  expect(lock.entries.map(({ name, alias, source }) => [name, alias, source])).toEqual([
    ['client', null, 'file:packages/client'],
    ['@s/other', null, 'file:packages/@s/other'],
    ['elsewhere', null, 'file:packages/named'],
  ]);
  expect(lock.rootDependencies).toEqual(['client']);
});

test('a dependency is found in the nearest node_modules upwards, through links', () => {
  const lock = parse(
    packages({
      'node_modules/a': { version: '1.0.0' },
      'node_modules/a/node_modules/b': { version: '1.0.0' },
      'node_modules/b': { version: '2.0.0' },
      'node_modules/client': { resolved: 'packages/client', link: true },
      'packages/client': { version: '1.0.0' },
      'packages/client/node_modules/b': { version: '3.0.0' },
    }),
  );
  const lookup = createDependencyLookup(lock);
  const found = (location: string, name: string) => lookup(location, name)?.location ?? null;
  expect(found('node_modules/a', 'b')).toBe('node_modules/a/node_modules/b');
  expect(found('node_modules/a/node_modules/b', 'a')).toBe('node_modules/a');
  expect(found('', 'b')).toBe('node_modules/b');
  expect(found('packages/client', 'b')).toBe('packages/client/node_modules/b');
  expect(found('packages/client/node_modules/b', 'a')).toBe('node_modules/a');
  expect(found('', 'client')).toBe('packages/client');
  expect(found('node_modules/a', 'missing')).toBe(null);
});

describe('refusals', () => {
  const of = (what: string) => `The lock file package-lock.json has an unexpected format (${what})`;
  test.for<[string, unknown, string]>([
    ['no name', { version: '1', lockfileVersion: 3, packages: {} }, of("missing key: 'name'")],
    ['no version', { name: 'x', lockfileVersion: 3, packages: {} }, of("missing key: 'version'")],
    ['an empty name', { name: '', version: '1', lockfileVersion: 3, packages: {} }, of("'name' is empty")],
    [
      'half a name',
      { name: '@s/', version: '1', lockfileVersion: 3, packages: {} },
      of("'name' is not text"),
    ],
    ['a lone surrogate', { name: '\ud800', version: '1', packages: {} }, of("'name' is not text")],
    [
      'a NUL in a source',
      packages({ 'node_modules/a': { version: '1.0.0', resolved: 'https://x/\0' } }),
      of("'resolved' of 'node_modules/a' is not text"),
    ],
    ['no packages', { ...HEAD, lockfileVersion: 3 }, of("missing key: 'packages'")],
    [
      'version 4',
      { ...HEAD, lockfileVersion: 4 },
      'lockfileVersion 4 from client/package-lock.json is not supported Please use a supported lockfileVersion, which are versions 1, 2, and 3',
    ],
    [
      'version as text',
      { ...HEAD, lockfileVersion: '3' },
      'lockfileVersion "3" from client/package-lock.json is not supported Please use a supported lockfileVersion, which are versions 1, 2, and 3',
    ],
    ['a list', [], of('not a JSON object')],
    ['packages as list', { ...HEAD, lockfileVersion: 3, packages: [] }, of("'packages' is not an object")],
    [
      'an entry that is text',
      packages({ 'node_modules/a': 'x' }),
      of("packages['node_modules/a'] is not an object"),
    ],
    [
      'a version that is a number',
      packages({ 'node_modules/a': { version: 1 } }),
      of("'version' of 'node_modules/a' is not text"),
    ],
    [
      'dependencies as text',
      { ...HEAD, lockfileVersion: 1, dependencies: 'x' },
      of("'dependencies' of '' is not an object"),
    ],
    [
      'very many patterns of workspaces',
      { ...HEAD, lockfileVersion: 3, packages: { '': { workspaces: Array(257).fill('a/*') } } },
      of("'workspaces' has too many patterns"),
    ],
    [
      'workspaces as text',
      { ...HEAD, lockfileVersion: 3, packages: { '': { workspaces: 'x' } } },
      of("'workspaces' is not a list"),
    ],
    [
      'a climbing location',
      packages({ 'node_modules/../../x': { version: '1.0.0' } }),
      of('invalid location "node_modules/../../x"'),
    ],
    ['an absolute location', packages({ '/etc': { version: '1.0.0' } }), of('invalid location "/etc"')],
    ['a drive letter', packages({ 'C:/x': { version: '1.0.0' } }), of('invalid location "C:/x"')],
    [
      'a NUL',
      packages({ 'node_modules/a\0b': { version: '1.0.0' } }),
      of('invalid location "node_modules/a\\u0000b"'),
    ],
    [
      'a climbing own name',
      packages({ 'node_modules/a': { name: '../../etc', version: '1.0.0' } }),
      of('\'node_modules/a\' has the invalid package name "../../etc"'),
    ],
    [
      'a climbing name of version 1',
      tree({ '..': { version: '1.0.0' } }),
      of('\'node_modules/..\' has the invalid package name ".."'),
    ],
    [
      'a climbing alias of version 1',
      tree({ a: { version: 'npm:..@1.0.0' } }),
      of('\'node_modules/a\' has the invalid package name ".."'),
    ],
    [
      'nesting without end',
      `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`,
      of('nested more than 2000 levels deep'),
    ],
  ])('%s', ([, document, message]) => {
    let error: unknown;
    try {
      parse(document, 'client/package-lock.json');
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ValidationError);
    expect((error as Error).message).toBe(message);
  });

  test('text that is not JSON or not UTF-8', () => {
    expect(() => parse('{"a": ')).toThrow(
      /^The lock file package-lock\.json has an unexpected format \(not JSON: /,
    );
    expect(() => parseLockFile('package-lock.json', Buffer.from([0x7b, 0xff, 0x7d]))).toThrow(
      of('not UTF-8'),
    );
  });
});

test('a byte order mark, duplicate keys and __proto__ do no harm', () => {
  const text = `\uFEFF{"name":"x","name":"application","version":"1.0.0","lockfileVersion":3,"packages":{
    "":{"dependencies":{"__proto__":"1"}},
    "node_modules/a":{"version":"1.0.0","__proto__":{"dev":true},"constructor":{}}}}`;
  const lock = parse(text);
  expect(lock.name).toBe('application');
  expect(lock.entries[0]).toMatchObject({ name: 'a', dev: false });
  expect(lock.rootDependencies).toEqual(['__proto__']);
  expect(({} as Record<string, unknown>).dev).toBe(undefined);
});

test('a tree of version 1 that is thousands of levels deep is refused, not a crash', () => {
  let text = '{}';
  for (let level = 0; level < 3000; level++) text = `{"version":"1.0.0","dependencies":{"a":${text}}}`;
  expect(() =>
    parse(`{"name":"x","version":"1.0.0","lockfileVersion":1,"dependencies":{"a":${text}}}`),
  ).toThrow('nested more than 2000 levels deep');
});

test('names and versions that may become paths', () => {
  const good = ['a', 'A', '@s/a', 'a.b', '7zip', '-', 'a~b', "it's", '@S_/x'];
  const bad = [
    '',
    '.',
    '..',
    '.a',
    '@/a',
    '@s/',
    '@s',
    '@s/a/b',
    'a/b',
    'a\\b',
    'a\0',
    '/a',
    'C:',
    'a b',
    'é',
    '@s/..',
    '@../a',
    'a'.repeat(215),
  ];
  expect(good.filter((name) => !isPackageName(name))).toEqual([]);
  expect(bad.filter(isPackageName)).toEqual([]);
  expect(
    ['1.0.0', '1.0.0-rc.1+b', 'v1.0.0', '1.0.0-external-gitcommit-abc'].filter((v) => !isVersion(v)),
  ).toEqual([]);
  expect(
    ['1', '1.0.0/../x', ' 1.0.0', '1.0.0 ', '', 'latest', `1.0.0-${'a'.repeat(300)}`].filter(isVersion),
  ).toEqual([]);
});

test("this repository's own lock file parses completely", () => {
  const lock = parseLockFile('package-lock.json', readFileSync('package-lock.json'));
  const keys = Object.keys((lock.document.packages as object) ?? {});
  expect(lock.entries.length).toBe(keys.length - 1);
  expect(lock.entries.every((entry) => entry.version !== null)).toBe(true);
});
