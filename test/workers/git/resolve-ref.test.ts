import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { DatabaseGitTrees } from '../../../src/workers/git/database-git-trees.ts';
import { testDatabase } from '../../support/database.ts';
import { TestRepository } from '../../support/git-repository.ts';

let database: Database;
let root: string;
let trees: DatabaseGitTrees;
let repository: TestRepository;
let first: string;
let second: string;

beforeAll(async () => {
  database = await testDatabase();
  root = mkdtempSync(join(tmpdir(), 'resolve-ref-'));
  trees = new DatabaseGitTrees({
    sql: database.sql,
    blobs: new FileBlobStore(join(root, 'blobs')),
    settings: readSettings({ STOWAGE_DATA_DIR: join(root, 'data'), STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file' }),
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined },
    signal: new AbortController().signal,
  });
  repository = new TestRepository({ a: '1' });
  first = repository.head;
  repository.git('tag', 'light');
  repository.git('tag', '-a', '-m', 'one', 'annotated');
  repository.git('tag', '-a', '-m', 'two', 'of-a-tag', 'annotated');
  repository.git('tag', 'both');
  repository.git('checkout', '--quiet', '-b', 'feature/x-y');
  second = repository.commit({ b: '2' });
  repository.git('branch', 'both');
  repository.git('branch', '1234567');
  repository.git('checkout', '--quiet', 'main');
});
afterAll(async () => {
  await database.close();
  rmSync(root, { recursive: true, force: true });
});

test.each([
  ['the default branch', null, () => first],
  ['HEAD', 'HEAD', () => first],
  ['a branch', 'main', () => first],
  ['a branch with a slash', 'feature/x-y', () => second],
  ['a full name', 'refs/heads/feature/x-y', () => second],
  ['a tag', 'light', () => first],
  ['an annotated tag', 'annotated', () => first],
  ['the full name of an annotated tag', 'refs/tags/annotated', () => first],
  ['a tag of a tag', 'of-a-tag', () => first],
  ['a tag before a branch of the same name', 'both', () => first],
  ['a branch that looks like a short commit', '1234567', () => second],
])('%s', async (_, ref, commit) => {
  expect(await trees.resolveRef(repository.path, ref)).toBe(commit());
});

test('a commit stays as it is, in small letters; nobody is asked', async () => {
  expect(await trees.resolveRef('/nothing/here', first)).toBe(first);
  expect(await trees.resolveRef('/nothing/here', first.toUpperCase())).toBe(first);
  expect(await trees.resolveRef('/nothing/here', 'A'.repeat(64))).toBe('a'.repeat(64));
});

test('the first digits of a commit name it once it is known here', async () => {
  const short = second.slice(0, 9);
  await expect(trees.resolveRef(repository.path, short)).rejects.toMatchObject({
    code: 'bad-revision',
    hint: 'Servers know commits by their full id only: give all of its digits, or a branch or tag.',
  });
  await trees.tree(repository.path, second);
  expect(await trees.resolveRef(repository.path, short)).toBe(second);
});

test.each(['nope', '', '-x', 'HEAD~1', 'main^', 'a..b', 'main ', 'x.lock', '*'])(
  'no such name: %j',
  async (ref) => {
    await expect(trees.resolveRef(repository.path, ref)).rejects.toMatchObject({
      code: 'bad-revision',
      message: `Checking out the Git repository failed. Please verify the supplied reference of "${ref}" is valid.`,
    });
  },
);
