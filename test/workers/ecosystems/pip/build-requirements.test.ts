import { afterAll, beforeAll, expect, test } from 'vitest';
import { pip } from '../../../../src/workers/ecosystems/pip/index.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { makeSdist, makeWheel, type PythonIndex, startPythonIndex } from '../../../support/python-index.ts';
import { resolveContext } from '../../../support/resolve-context.ts';

let index: PythonIndex;
beforeAll(async () => {
  index = await startPythonIndex([
    makeSdist('one', '1.0'),
    makeSdist('tool', '1.0'),
    makeWheel('one', '1.0'),
  ]);
});
afterAll(() => index.close());

const NAMED_NONE =
  'warn: pip: no build requirements are named at "."; list in requirements-build.txt what pip needs to build the source archives offline';

test.each([
  ['a build that nothing is named for', { 'requirements.txt': 'one==1.0\n' }, {}, [NAMED_NONE]],
  [
    'a build that is provided for',
    { 'requirements.txt': 'one==1.0\n', 'requirements-build.txt': 'tool==1.0\n' },
    {},
    [],
  ],
  [
    'wheels, which need no build',
    { 'requirements.txt': 'one==1.0\n' },
    { binary: { packages: ':all:' } },
    [],
  ],
  ['no requirements at all', { 'requirements.txt': '# none\n' }, {}, []],
])('%s', async (_what, files, options, expected) => {
  const { context, lines } = resolveContext({
    source: memorySourceTree({ 'setup.cfg': '[metadata]\nname = project\nversion = 1.0\n', ...files }),
    settings: { pypiIndex: index.url },
    packages: [{ path: '.', ...options }],
  });
  await pip.resolve(context);
  expect(lines.filter((line) => line.startsWith('warn: '))).toEqual(expected);
});
