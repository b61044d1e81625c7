import { describe, expect, test } from 'vitest';
import { parseGemfileLock } from '../../../../src/workers/ecosystems/rubygems/lock-file.ts';

const parse = (text: string) => parseGemfileLock('Gemfile.lock', Buffer.from(text));
const HASH = 'ab'.repeat(32);

const WHOLE = `GIT
  remote: https://git.example/team/tool.git
  revision: ${'c'.repeat(40)}
  branch: main
  submodules: true
  glob: tools/*.gemspec
  specs:
    tool (1.0)
      plain (>= 1, < 3)

PATH
  remote: .
  specs:
    own (0.1.0.pre)

PLUGIN SOURCE
  remote: https://plugins.example/
  type: acme
  specs:
    odd (1.0)

GEM
  remote: https://rubygems.org/
  remote: https://gems.example/
  specs:
    native (1.2.3)
    native (1.2.3-x86_64-linux)
    plain (2.0)
      dotted.name (~> 1.0)
      dashed-name

GEM
  specs:

PLATFORMS
  ruby
  x86_64-linux

DEPENDENCIES
  own!
  plain (>= 1.0, < 3)
  tool!

CHECKSUMS
  native (1.2.3) sha256=${HASH.toUpperCase()}
  native (1.2.3-x86_64-linux) sha256=${'cd'.repeat(32)}
  plain (2.0) md5=${'e'.repeat(32)},sha256=${HASH},blake3=1
  own (0.1.0.pre)

RUBY VERSION
   ruby 3.3.0p0

SOMETHING NEW
  of: the future

BUNDLED WITH
   2.6.9
`;

describe('a lock file', () => {
  const expected = {
    path: 'Gemfile.lock',
    sources: [
      {
        kind: 'GIT',
        remotes: ['https://git.example/team/tool.git'],
        options: new Map([
          ['revision', 'c'.repeat(40)],
          ['branch', 'main'],
          ['submodules', 'true'],
          ['glob', 'tools/*.gemspec'],
        ]),
        specs: [{ name: 'tool', version: '1.0', platform: null, dependencies: ['plain'] }],
      },
      {
        kind: 'PATH',
        remotes: ['.'],
        options: new Map(),
        specs: [{ name: 'own', version: '0.1.0.pre', platform: null, dependencies: [] }],
      },
      {
        kind: 'PLUGIN SOURCE',
        remotes: ['https://plugins.example/'],
        options: new Map([['type', 'acme']]),
        specs: [{ name: 'odd', version: '1.0', platform: null, dependencies: [] }],
      },
      {
        kind: 'GEM',
        remotes: ['https://rubygems.org/', 'https://gems.example/'],
        options: new Map(),
        specs: [
          { name: 'native', version: '1.2.3', platform: null, dependencies: [] },
          { name: 'native', version: '1.2.3', platform: 'x86_64-linux', dependencies: [] },
          { name: 'plain', version: '2.0', platform: null, dependencies: ['dotted.name', 'dashed-name'] },
        ],
      },
      { kind: 'GEM', remotes: [], options: new Map(), specs: [] },
    ],
    platforms: ['ruby', 'x86_64-linux'],
    dependencies: ['own', 'plain', 'tool'],
    checksums: new Map([
      ['native (1.2.3)', [{ algorithm: 'sha256', hex: HASH }]],
      ['native (1.2.3-x86_64-linux)', [{ algorithm: 'sha256', hex: 'cd'.repeat(32) }]],
      ['plain (2.0)', [{ algorithm: 'sha256', hex: HASH }]],
    ]),
  };

  test('with every section', () => {
    expect(parse(WHOLE)).toEqual(expected);
  });

  test('with the line ends of Windows', () => {
    expect(parse(WHOLE.replaceAll('\n', '\r\n'))).toEqual(expected);
  });

  test('that is empty', () => {
    expect(parse('')).toEqual({
      path: 'Gemfile.lock',
      sources: [],
      platforms: [],
      dependencies: [],
      checksums: new Map(),
    });
  });
});

const gem = (line: string) => `GEM\n  remote: https://rubygems.org/\n  specs:\n${line}\n`;
const cannot = (line: number, problem: string) =>
  `The file Gemfile.lock cannot be used: line ${line}: ${problem}`;

test.each([
  ['a conflict', `<<<<<<< HEAD\n${gem('    a (1)')}`, cannot(1, 'it contains merge conflicts')],
  ['another side', `${gem('    a (1)')}=======\n`, cannot(5, 'it contains merge conflicts')],
  ['no heading', '  remote: x\n', cannot(1, 'it does not begin with a heading')],
  ['a climbing name', gem('    ../../etc (1.0)'), cannot(4, 'it names no valid gem')],
  ['a hidden name', gem('    .ssh (1.0)'), cannot(4, 'it names no valid gem')],
  ['an option as a name', gem('    --exec (1.0)'), cannot(4, 'it names no valid gem')],
  ['a name with NUL', gem('    a\0b (1.0)'), cannot(4, 'it names no valid gem')],
  ['a name in another script', gem('    gém (1.0)'), cannot(4, 'it names no valid gem')],
  ['a name without end', gem(`    ${'a'.repeat(200)} (1.0)`), cannot(4, 'it names no valid gem')],
  ['no version', gem('    a'), cannot(4, 'a has no valid version')],
  ['an empty version', gem('    a ()'), cannot(4, 'a has no valid version')],
  ['a climbing version', gem('    a (1/../../b)'), cannot(4, 'a has no valid version')],
  ['a requirement for a version', gem('    a (>= 1)'), cannot(4, 'a has no valid version')],
  ['a climbing platform', gem('    a (1-../b)'), cannot(4, 'a has no valid platform')],
  ['words behind the name', gem('    a b'), cannot(4, 'what follows a is no version')],
  ['an open bracket', gem('    a (1.0'), cannot(4, 'what follows a is no version')],
  ['a dependency of nothing', gem('      a (1.0)'), cannot(4, 'a dependency belongs to no gem')],
  ['an odd indent', gem('     a (1.0)'), cannot(4, 'it is indented as no lock file is')],
  ['a tab', gem('\ta (1.0)'), null],
])('%s', (_, text, message) => {
  if (message === null) expect(parse(text).sources.map(({ specs }) => specs)).toEqual([[]]);
  else expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'invalid-lockfile', message }));
});

test.each(['sha256=abc', 'sha256', `sha3=${HASH}`, `sha256=${'g'.repeat(64)}`])(
  'a checksum that nothing can match: %s',
  (checksum) => {
    expect(() => parse(`CHECKSUMS\n  a (1.0) ${checksum}\n`)).toThrow(
      expect.objectContaining({
        code: 'invalid-checksum',
        message: `The checksum of the gem a (1.0) is not valid: ${JSON.stringify(checksum)}`,
      }),
    );
  },
);

test('a long file is read in time that grows with its length', () => {
  const lines = Array.from({ length: 100_000 }, (_, index) => `    gem-${index} (1.0)`).join('\n');
  expect(parse(gem(lines)).sources[0]!.specs).toHaveLength(100_000);
  expect(() => parse(gem(`    ${'a ('.repeat(1_000_000)}`))).toThrow('what follows a is no version');
});
