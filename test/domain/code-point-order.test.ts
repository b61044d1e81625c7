import { expect, test } from 'vitest';
import { compareText } from '../../src/domain/code-point-order.ts';
import { uniqueDependencies } from '../../src/domain/packages/reported-packages.ts';
import { sortedJson } from '../../src/gateway/rest/cachito/sorted-json.ts';

/** As Python sorts, and PostgreSQL with the collation "C". */
const ORDER = ['', 'B', 'a', 'a-b', 'a.', 'aa', 'ab', 'é', '\ue000', '\uffff', '\u{10000}', '😀', '😀a'];

test('code points, not UTF-16, and no locale', () => {
  expect(ORDER.toReversed().sort(compareText)).toEqual(ORDER);
});

test('dependencies and keys of objects', () => {
  const dependencies = ORDER.map((name) => ({
    name,
    type: 'npm' as const,
    version: '1',
    dev: false,
    replaces: null,
  }));
  const one = { name: 'x', type: 'npm' as const, version: '1', path: '.' };
  const sorted = uniqueDependencies([{ ...one, dependencies: dependencies.toReversed() }]);
  expect(sorted.map(({ name }) => name)).toEqual(ORDER);
  expect(sortedJson(Object.fromEntries(ORDER.map((name) => [name, 0])))).toBe(
    `{${ORDER.map((name) => `${JSON.stringify(name)}:0`).join(',')}}`,
  );
});
