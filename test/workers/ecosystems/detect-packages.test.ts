import { describe, expect, test } from 'vitest';
import { detectPackages } from '../../../src/workers/ecosystems/detect-packages.ts';
import { npm } from '../../../src/workers/ecosystems/npm/index.ts';
import { pip } from '../../../src/workers/ecosystems/pip/index.ts';
import { memorySourceTree } from '../../support/memory-source-tree.ts';

const lock = (path: string) => ({ [`${path}package.json`]: '{}', [`${path}package-lock.json`]: '{}' });

async function detected(files: Record<string, string>) {
  const { found, leftOut } = await detectPackages(memorySourceTree(files), [npm, pip]);
  const paths = (map: typeof found) =>
    Object.fromEntries([...map].map(([name, list]) => [name, list.map((one) => one.options.path)]));
  return { found: paths(found), leftOut: paths(leftOut) };
}

describe('packages of a source that names none', () => {
  test('several managers and directories', async () => {
    const files = { ...lock(''), ...lock('web/'), 'api/requirements.txt': '' };
    expect(await detected(files)).toEqual({ found: { npm: ['.', 'web'], pip: ['api'] }, leftOut: {} });
  });

  test('test data and examples are left out', async () => {
    const files = { ...lock(''), ...lock('test/data/'), 'Examples/one/requirements.txt': '' };
    expect(await detected(files)).toEqual({
      found: { npm: ['.'] },
      leftOut: { npm: ['test/data'], pip: ['Examples/one'] },
    });
  });

  test('unless there is nothing else', async () => {
    expect(await detected(lock('examples/one/'))).toEqual({
      found: { npm: ['examples/one'] },
      leftOut: {},
    });
  });
});
