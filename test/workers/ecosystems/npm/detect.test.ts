import { expect, test } from 'vitest';
import { npm } from '../../../../src/workers/ecosystems/npm/index.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';

test('directories with package.json and a lock file, sorted, not the installed or hidden ones', async () => {
  const source = memorySourceTree({
    'package.json': '{}',
    'package-lock.json': '{}',
    'web/package.json': '{}',
    'web/package-lock.json': '{}',
    'web/npm-shrinkwrap.json': '{}',
    'api/package.json': '{}',
    'api/npm-shrinkwrap.json': '{}',
    'packages/member/package.json': '{}',
    'lock-only/package-lock.json': '{}',
    'web/node_modules/a/package.json': '{}',
    'web/node_modules/a/package-lock.json': '{}',
    '.hidden/package.json': '{}',
    '.hidden/package-lock.json': '{}',
  });
  expect(await npm.detect(source)).toEqual([
    { options: { path: '.' }, evidence: ['package.json', 'package-lock.json'] },
    { options: { path: 'api' }, evidence: ['api/package.json', 'api/npm-shrinkwrap.json'] },
    { options: { path: 'web' }, evidence: ['web/package.json', 'web/npm-shrinkwrap.json'] },
  ]);
});

test('nothing in an empty source', async () => {
  expect(await npm.detect(memorySourceTree({}))).toEqual([]);
});
