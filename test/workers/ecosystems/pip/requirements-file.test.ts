import { describe, expect, test } from 'vitest';
import { isLocalPath } from '../../../../src/workers/ecosystems/pip/local-path.ts';
import { parseRequirementsFile } from '../../../../src/workers/ecosystems/pip/requirements-file.ts';
import { processorMs } from '../../../support/processor-time.ts';

const parse = (text: string | Buffer, rules: 'cachito' | 'native' = 'cachito') =>
  parseRequirementsFile('requirements.txt', Buffer.from(text as string), rules);

const failure = (text: string | Buffer, rules: 'cachito' | 'native' = 'cachito') => {
  try {
    parse(text, rules);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it was accepted');
};

const COMMIT = 'a'.repeat(40);

describe('lines', () => {
  test.each([
    ['a==1\nb==2\n', ['a==1', 'b==2']],
    ['a==1\r\nb==2\rc==3', ['a==1', 'b==2', 'c==3']],
    ['# a==1\n  # b\n\n   \nc==3 # d', ['c==3']],
    ['a#b==1\n'.replace('a#b', 'ab'), ['ab==1']],
    ['a \\\n  ==1 \\\n  ; python_version > "3"', ['a   ==1   ; python_version > "3"']],
    ['a==1 \\\n# a comment ends what was joined\nb==2', ['a==1', 'b==2']],
    ['a==1 \\', ['a==1']],
    ['\uFEFFa==1', ['a==1']],
    ['  a==1  \t', ['a==1']],
    ['', []],
  ])('%j', (text, lines) => {
    expect(parse(text).requirements.map(({ requirement }) => requirement.line)).toEqual(lines);
  });

  test('UTF-16 with a byte order mark', () => {
    const text = Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from('a==1\r\nb==2', 'utf16le')]);
    expect(parse(text).requirements.map(({ requirement }) => requirement.line)).toEqual(['a==1', 'b==2']);
  });

  test('physical lines are kept for rewriting', () => {
    const { requirements, lines } = parse('a==1\nb==2 \\\n  --hash=sha256:00 \\\n  --hash=sha256:11\nc==3\n');
    expect(requirements.map(({ start, end }) => [start, end])).toEqual([
      [0, 1],
      [1, 4],
      [4, 5],
    ]);
    expect(lines).toHaveLength(6);
  });
});

describe('options', () => {
  test.each([
    ['-r other.txt', [{ name: '-r', value: 'other.txt' }]],
    ['--requirement=other.txt', [{ name: '--requirement', value: 'other.txt' }]],
    ['-r "with blank.txt"', [{ name: '-r', value: 'with blank.txt' }]],
    [
      '--pre --prefer-binary',
      [
        { name: '--pre', value: null },
        { name: '--prefer-binary', value: null },
      ],
    ],
    ['-i https://index.example/simple', [{ name: '-i', value: 'https://index.example/simple' }]],
    ['--trusted-host files.example:8443', [{ name: '--trusted-host', value: 'files.example:8443' }]],
    ['a==1 --pre', [{ name: '--pre', value: null }]],
  ])('%s', (text, options) => {
    expect(parse(text).options).toEqual(options);
  });

  test('hashes belong to their requirement', () => {
    const { requirements, options } = parse("a==1 --hash=sha256:00 --hash 'sha256:11'");
    expect(options).toEqual([]);
    expect(requirements[0]!.requirement.hashes).toEqual(['sha256:00', 'sha256:11']);
  });

  test('editable is a mark on a requirement', () => {
    const [line] = parse(`-e git+https://git.example/a/b@${COMMIT}#egg=b`).requirements;
    expect([line!.editable, line!.requirement.line]).toEqual([
      true,
      `b @ git+https://git.example/a/b@${COMMIT}#egg=b`,
    ]);
  });

  test.each([
    ['--foo', "Unknown requirements file option '--foo'"],
    ['--foo=1', "Unknown requirements file option '--foo'"],
    ['-x', "Unknown requirements file option '-x'"],
    ['-rother.txt', "Unknown requirements file option '-rother.txt'"],
    ['--pre=yes', "Unexpected value for requirements file option '--pre=yes'"],
    ['-c', "Requirements file option '-c' requires a value"],
    ['--index-url=', "Requirements file option '--index-url' requires a value"],
    [
      '--hash sha256:1',
      "Requirements file option(s) ['--hash', 'sha256:1'] can only be applied to a requirement",
    ],
    ['-e', "Requirements file option(s) ['-e'] can only be applied to a requirement"],
    [
      'a==1 --hash=sha256:0 b==2',
      "Multiple requirements per line are not supported, 'a==1 --hash=sha256:0 b==2'",
    ],
  ])('%s is refused', (text, message) => {
    expect(failure(text)).toBe(message);
  });

  test("pip's short forms in the own interface", () => {
    expect(parse('-rother.txt', 'native').options).toEqual([{ name: '-r', value: 'other.txt' }]);
    expect(
      parse(`--editable=git+https://git.example/a/b@${COMMIT}#egg=b`, 'native').requirements,
    ).toHaveLength(1);
    expect(parse('-e .\n.[extra]\n./sub\n-e file:../other', 'native').requirements).toEqual([]);
  });
});

describe('requirements', () => {
  const one = (text: string, rules: 'cachito' | 'native' = 'cachito') =>
    parse(text, rules).requirements[0]!.requirement;

  test.each([
    ['a==1', 'a', [], [['==', '1']], null],
    [
      'Some.Thing_x [one, two-3] >= 1.0 , != 1.5',
      'Some.Thing_x',
      ['one', 'two-3'],
      [
        ['>=', '1.0'],
        ['!=', '1.5'],
      ],
      null,
    ],
    ['a (==1.0)', 'a', [], [['==', '1.0']], null],
    ['a', 'a', [], [], null],
    ['a==1.0;python_version<"3"', 'a', [], [['==', '1.0']], 'python_version<"3"'],
    ['a==1!2.0.post1', 'a', [], [['==', '1!2.0.post1']], null],
    ['a===1.0+local.1', 'a', [], [['===', '1.0+local.1']], null],
    ['a[]==1', 'a', [], [['==', '1']], null],
  ])('%s', (text, name, extras, specifiers, marker) => {
    const requirement = one(text);
    expect(requirement).toMatchObject({
      kind: 'pypi',
      name,
      extras,
      line: text,
      specifiers: specifiers.map(([operator, version]) => ({ operator, version })),
    });
    expect(requirement.marker?.text ?? null).toBe(marker);
  });

  test.each([
    [`git+https://git.example/a/b.git@${COMMIT}#egg=b_c`, 'vcs', 'b-c', 'git+https', []],
    [`name @ git+https://git.example/a/b.git@${COMMIT}`, 'vcs', 'name', 'git+https', []],
    [`name@git+https://git.example/a/b.git@${COMMIT}#egg=other`, 'vcs', 'other', 'git+https', []],
    ['name[x,y]@https://files.example/a.zip', 'url', 'name', 'https', ['x', 'y']],
    ['https://files.example/a.zip#egg=name[z]&subdirectory=s', 'url', 'name', 'https', ['z']],
    ['HTTPS://files.example/a.zip#egg=name', 'url', 'name', 'https', []],
    ['hg+http://hg.example/a#egg=name', 'vcs', 'name', 'hg+http', []],
  ])('%s', (text, kind, name, scheme, extras) => {
    const at = text.search(/(git|hg)\+|https?:/i);
    expect(one(text)).toMatchObject({ kind, name, scheme, extras, line: `${name} @ ${text.slice(at)}` });
  });

  test('the marker of a URL stands behind a blank', () => {
    const requirement = one('name @ https://files.example/a;b.zip ; python_version < "3"');
    expect(requirement).toMatchObject({ url: 'https://files.example/a;b.zip' });
    expect(requirement.marker!.text).toBe('python_version < "3"');
  });

  test('fragment parameters cannot touch prototypes', () => {
    const requirement = one('https://files.example/a.zip#egg=n&__proto__=x&constructor=y');
    expect(requirement.kind === 'url' && requirement.qualifiers.cachito_hash).toBeUndefined();
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test.each([
    [
      'git+ssh://git@git.example/a/b@c#egg=b',
      "Direct references with 'git+ssh' scheme are not supported, 'git+ssh://git@git.example/a/b@c#egg=b'",
    ],
    [
      'a @ file:///tmp/a.zip',
      "Direct references with 'file' scheme are not supported, 'a @ file:///tmp/a.zip'",
    ],
    ['a @ b', "Unable to extract scheme from direct access requirement 'a @ b'"],
    ['a @', "Unable to extract scheme from direct access requirement 'a @'"],
    [
      'https://files.example/a.zip',
      "Egg name could not be determined from the requirement 'https://files.example/a.zip'",
    ],
    [
      'https://files.example/a.zip#egg=',
      "Egg name could not be determined from the requirement 'https://files.example/a.zip#egg='",
    ],
    ['.', "Unable to parse the requirement '.': it does not start with a project name"],
    ['./a.zip', "Unable to parse the requirement './a.zip': it does not start with a project name"],
    ['a==1 b==2', "Unable to parse the requirement 'a==1 b==2': '==1 b==2' is not a version specifier"],
    ['a=1', "Unable to parse the requirement 'a=1': '=1' is not a version specifier"],
    ['a==', "Unable to parse the requirement 'a==': '==' is not a version specifier"],
    ['a-', "Unable to parse the requirement 'a-': it does not start with a project name"],
    ['a (==1', "Unable to parse the requirement 'a (==1': a closing parenthesis is missing"],
    ['a[b c]==1', "Unable to parse the requirement 'a[b c]==1': 'b c' is not the name of an extra"],
    [
      'a==1; nonsense == "1"',
      'Unable to parse the requirement \'a==1; nonsense == "1"\': nonsense is not a marker variable',
    ],
    ['a==1;', "Unable to parse the requirement 'a==1;': the marker is empty"],
    [
      "a==1; os_name == 'x' and",
      'Unable to parse the requirement "a==1; os_name == \'x\' and": the marker ends too early',
    ],
    ['a\0==1', "Unable to parse the requirement 'a\\x00==1': it has control characters"],
    [
      'a @ https://files.example/a.zip b',
      "Unable to parse the requirement 'a @ https://files.example/a.zip b': unexpected 'b'",
    ],
  ])('%j is refused', (text, message) => {
    expect(failure(text)).toBe(message);
  });

  test.each([
    ['a @ https://h.example/a.zip;python_version<"3"', 'a @ https://h.example/a.zip', 'python_version<"3"'],
    ['a @ https://h.example/a;b.zip', 'a @ https://h.example/a;b.zip', null],
    ['a==1;', 'a==1;', null],
    ['a==1 \\\\', 'a==1', null],
    [
      `-e "git+https://h.example/a.git@${COMMIT}#egg=a"`,
      `a @ git+https://h.example/a.git@${COMMIT}#egg=a`,
      null,
    ],
  ])('what pip reads, the own interface reads: %s', (text, line, marker) => {
    const requirement = one(text, 'native');
    expect([requirement.line, requirement.marker?.text ?? null]).toEqual([line, marker]);
  });

  test('git over ssh in the own interface', () => {
    expect(one(`a @ git+ssh://git@git.example/a/b@${COMMIT}`, 'native')).toMatchObject({ scheme: 'git+ssh' });
  });
});

describe('hostile files', () => {
  test('invalid UTF-8', () => {
    expect(failure(Buffer.from([0x61, 0xff, 0xfe]))).toBe(
      'Cannot read the requirements file app/requirements.txt: it is not UTF-8 text',
    );
  });

  test('a huge line', () => {
    expect(failure(`a==1 ${'\\\n'.repeat(10)}${'x'.repeat(2_000_000)}`)).toBe(
      'Cannot read the requirements file app/requirements.txt: line 1 is too long',
    );
  });

  test.each([
    ['brackets', `a[${'['.repeat(500_000)}`],
    ['blanks', `a${' '.repeat(900_000)}=`],
    ['names', `${'a-'.repeat(400_000)}!`],
    ['specifiers', `a${'==1,'.repeat(200_000)}`],
    ['quotes', `a --hash "${'"'.repeat(500_000)}`],
    ['backslashes', `a${'\\'.repeat(900_000)}b\\\n=`],
    ['number signs', `${'a#'.repeat(400_000)}`],
  ])('many %s are refused in no time', async (_, text) => {
    const milliseconds = await processorMs(() => expect(failure(text).length).toBeLessThan(1500));
    expect(milliseconds).toBeLessThan(1500);
  });

  test('deeply nested and very long markers', () => {
    expect(failure(`a==1; ${'('.repeat(1000)}os_name=="x"${')'.repeat(1000)}`)).toContain(
      'nested too deeply',
    );
    expect(failure(`a==1; ${'os_name=="x" and '.repeat(800)}os_name=="x"`)).toContain(
      'the marker is too long',
    );
  });
});

test('a long hostile line takes no time', async () => {
  for (const unit of [' ', '\t', '[', ']', '[]', ';', ' ;', '\\']) {
    for (const [before, behind] of [
      ['a', 'b'],
      ['./a', ']'],
    ] as const) {
      const text = before + unit.repeat(200_000) + behind;
      const parsed = () => {
        try {
          return parse(text, 'native');
        } catch (error) {
          return error;
        }
      };
      expect(await processorMs(parsed)).toBeLessThan(1_000);
    }
  }
});

test.each([
  ['./a[b]', true],
  ['./a[b][c]', true],
  ['./a ; python_version < "3"', true],
  ['vendor/a-1.0.whl [x]', true],
  ['a[b]', false],
  ['a]', false],
  ['.', true],
])('whether %s is a path of this machine', (text, expected) => {
  expect(isLocalPath(text)).toBe(expected);
});
