import { describe, expect, test } from 'vitest';
import { parseLiteral } from '../../../../src/workers/ecosystems/pip/python-literal.ts';
import { parseSetupPy } from '../../../../src/workers/ecosystems/pip/setup-py.ts';
import { processorMs } from '../../../support/processor-time.ts';

describe('setup() calls', () => {
  test.each<[string, string, string | null, string | null]>([
    ['plain', 'from setuptools import setup\nsetup(name="a", version="1.0")\n', 'a', '1.0'],
    ['qualified', "import setuptools\nsetuptools.setup(name='a', version='1')", 'a', '1'],
    ['other owner', 'other.setup(name="no", version="0")\nsetup(name="a", version="1")', 'a', '1'],
    ['longer owner', 'x.setuptools.setup(name="no")\nsetup(name="a")', 'a', null],
    ['definition', 'def setup(name="no"):\n  pass\nsetup(name="a", version="1")', 'a', '1'],
    ['first call counts', 'setup(name="a")\nsetup(name="b", version="2")', 'a', null],
    ['no call', 'print("setup(name=1)")  # setup(name="x")\n', null, null],
    ['lines', 'setup(\n    name="a",\n\n  # comment )\n    version=(\n  "1"\n  ".2"),\n)', 'a', '1.2'],
    ['backslash', 'setup(name=\\\n"a", \\\r\n version="1")', 'a', '1'],
    ['unknown keywords', 'setup(**kwargs)', null, null],
    ['dictionary', 'setup(**{"name": "a"}, version="1")', null, '1'],
    [
      'nested calls',
      'setup(ext=[f(name="no", version="0")], name="a", cmd={"x": (1, 2)}, version="1")',
      'a',
      '1',
    ],
    ['inside another call', 'run(setup(name="a", version="1"))', 'a', '1'],
    ['not a literal', 'setup(name=NAME.lower(), version="1" + x)', null, null],
    ['formatted', 'setup(name=f"a{1}", version="%s" % 1)', null, null],
    ['bytes', 'setup(name=b"a", version=r"1\\n")', null, '1\\n'],
    ['unicode prefix', 'setup(name=u"a", version=R\'1\')', 'a', '1'],
    ['triple quotes', 'setup(name="""a""", version=\'\'\'1\n2\'\'\')', 'a', '1\n2'],
    ['number', 'setup(name="a", version=1.5)', 'a', '1.5'],
    ['strings with brackets', 'x = "(" + \')\'\nsetup(name="a)", version="1")', 'a)', '1'],
    ['semicolons', 'v = "1"; setup(name="a", version=v)', 'a', '1'],
    ['other script', 'setup(name="é", version="1")', 'é', '1'],
    ['byte order mark', '\uFEFFsetup(name="a", version="1")', 'a', '1'],
    ['positional', 'setup("a", version="1")', null, '1'],
    ['comparison is no keyword', 'setup(name == "a", version="1")', null, '1'],
  ])('%s', (_, source, name, version) => {
    expect(parseSetupPy(source)).toEqual({ name, version });
  });
});

describe('names that were given a literal before', () => {
  test.each<[string, string, string | null]>([
    ['module', 'V = "1"\nsetup(version=V)', '1'],
    ['the last one counts', 'V = "1"\nV = "2"\nsetup(version=V)\nV = "3"', '2'],
    ['annotated', 'V: str = "1"\nsetup(version=V)', '1'],
    ['chained', 'A = V = "1"\nsetup(version=V)', '1'],
    ['computed afterwards', 'V = "1"\nV = read()\nsetup(version=V)', null],
    ['augmented', 'V = "1"\nV += ".2"\nsetup(version=V)', null],
    ['unpacked', 'V, W = "1", "2"\nsetup(version=V)', null],
    ['attribute', 'x.V = "1"\nsetup(version=V)', null],
    ['item', 'x[V] = "1"\nsetup(version=V)', null],
    [
      'around the block',
      'V = "1"\nif __name__ == "__main__":\n    def main():\n        setup(version=V)\n',
      '1',
    ],
    ['same block', 'def main():\n\tV = "1"\n\tsetup(version=V)\n', '1'],
    ['inner before outer', 'V = "1"\ndef main():\n  V = "2"\n  setup(version=V)\n', '2'],
    ['other branch', 'if x:\n    V = "1"\nelse:\n    setup(version=V)\n', null],
    ['block before', 'if x:\n    V = "1"\nsetup(version=V)\n', null],
    ['after a closed block', 'V = "1"\nif x:\n    pass\n# comment\n    # deeper\nsetup(version=V)', '1'],
    ['assigned later', 'setup(version=V)\nV = "1"', null],
    ['name of a name', 'A = "1"\nV = A\nsetup(version=V)', null],
  ])('%s', (_, source, version) => {
    expect(parseSetupPy(source).version).toBe(version);
  });
});

describe('hostile source', () => {
  test.each([
    ['unterminated string', 'setup(name="a'],
    ['unterminated triple quotes', 'x = """\nsetup(name="a")'],
    ['string over a line end', "setup(name='a\n')"],
  ])('%s', (_, source) => {
    expect(() => parseSetupPy(source)).toThrow('a string does not end');
  });

  test.each([
    ['brackets', '('.repeat(300_000)],
    ['closing brackets', `${')'.repeat(300_000)}\nsetup(name="a")`],
    ['indentation', Array.from({ length: 2000 }, (_, depth) => `${' '.repeat(depth)}if x:\n`).join('')],
    ['calls', `setup(${'f('.repeat(200_000)}`],
    ['digits', `x = ${'1'.repeat(300_000)}`],
    ['strange characters', '$?`'.repeat(200_000)],
    ['NUL', '\0'.repeat(200_000)],
    ['backslashes', '\\\n'.repeat(200_000)],
    ['statements', `${'V = x\n'.repeat(200_000)}setup(version=V)`],
  ])('many %s', async (_, source) => {
    const milliseconds = await processorMs(() => expect(parseSetupPy(source).version).toBeNull());
    expect(milliseconds).toBeLessThan(2000);
  });
});

test.each([
  ['\'a\' "b"', 'ab'],
  ['(1, 2, "rc")', [1, 2, 'rc']],
  ['[1]', [1]],
  ['("a")', 'a'],
  ['()', []],
  ['"\\x41\\u0042\\101\\\n"', 'ABA'],
  ['(1) + (2)', undefined],
  ['x', undefined],
  ['', undefined],
  ['"', undefined],
])('literal %j', (source, value) => {
  expect(parseLiteral(source)).toEqual(value);
});
