import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { packedNames } from '../../../src/workers/javascript-packages/packed-names.ts';
import { temporaryDirectory } from '../../support/resolve-context.ts';

const { signal } = new AbortController();

function directoryOf(files: Record<string, string>): string {
  const directory = temporaryDirectory();
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(directory, name, '..'), { recursive: true });
    writeFileSync(join(directory, name), content);
  }
  return directory;
}

test('what npm packs', async () => {
  const directory = directoryOf({
    'package.json': '{}',
    'lib/a.js': '',
    'lib/a.test.js': '',
    'b.js': '',
    LICENSE: '',
  });
  const names = await packedNames(directory, { files: ['lib', '!**/*.test.js'] }, signal);
  expect(names.sort()).toEqual(['LICENSE', 'lib/a.js', 'package.json']);
});

/** Hours in a regular expression. */
const HOSTILE = { ['a'.repeat(60)]: '', '.npmignore': `${'a*'.repeat(30)}b\n`, 'package.json': '{}' };

test('hostile patterns are given up', async () => {
  await expect(packedNames(directoryOf(HOSTILE), {}, signal, 1)).rejects.toThrow(
    'they take more than 1 seconds',
  );
});

test('hostile patterns do not outlive the step', async () => {
  const step = new AbortController();
  const names = packedNames(directoryOf(HOSTILE), {}, step.signal);
  step.abort(new Error('cancelled'));
  await expect(names).rejects.toThrow('cancelled');
});
