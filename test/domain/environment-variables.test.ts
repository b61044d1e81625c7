import { expect, test } from 'vitest';
import { readSettings } from '../../src/domain/config.ts';
import { InvalidInputError } from '../../src/domain/errors.ts';

const read = (value: unknown) =>
  readSettings({ STOWAGE_ENVIRONMENT_VARIABLES: typeof value === 'string' ? value : JSON.stringify(value) })
    .environmentVariables;

test('variables of a manager, as Cachito has them in its configuration', () => {
  expect(
    read({
      npm: { CI: { value: 'true', kind: 'literal' }, CACHE: { kind: 'path', value: 'deps/npm' } },
      'git-submodule': {},
    }),
  ).toEqual({
    npm: [
      { name: 'CI', value: 'true', kind: 'literal' },
      { name: 'CACHE', value: 'deps/npm', kind: 'path' },
    ],
    'git-submodule': [],
  });
  expect(read('')).toEqual({});
});

const FORM =
  'STOWAGE_ENVIRONMENT_VARIABLES must be a JSON object of the form {"npm": {"NAME": {"value": "text", "kind": "literal or path"}}}';

test.each<[string, unknown, string]>([
  ['no JSON', '{', FORM],
  ['a list', [], FORM],
  ['a list of variables', { npm: [] }, FORM],
  ['a text as variable', { npm: { A: 'x' } }, FORM],
  ['a number as value', { npm: { A: { value: 1, kind: 'literal' } } }, FORM],
  ['an unknown kind', { npm: { A: { value: 'x', kind: 'secret' } } }, FORM],
  ['no kind', { npm: { A: { value: 'x' } } }, FORM],
  ['one key too many', { npm: { A: { value: 'x', kind: 'literal', note: '' } } }, FORM],
  ['a name that no shell takes', { npm: { 'A B': { value: 'x', kind: 'literal' } } }, FORM],
  ['all managers at once', { all: {} }, FORM],
  [
    'an unknown manager',
    { maven: {} },
    'STOWAGE_ENVIRONMENT_VARIABLES: "maven" is not one of gomod, npm, pip, git-submodule, yarn, rubygems',
  ],
  ...['GOCACHE', 'GOPATH'].map((name): [string, unknown, string] => [
    name,
    { gomod: { [name]: { value: 'x', kind: 'path' } } },
    `STOWAGE_ENVIRONMENT_VARIABLES may not set ${name}`,
  ]),
])('refused: %s', (_case, value, message) => {
  expect(() => read(value)).toThrow(new InvalidInputError(message));
});
