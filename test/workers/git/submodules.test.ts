import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { SubprocessCallError } from '../../../src/domain/errors.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { DatabaseGitTrees } from '../../../src/workers/git/database-git-trees.ts';
import { testDatabase } from '../../support/database.ts';
import { TestRepository } from '../../support/git-repository.ts';

let database: Database;
let root: string;
let blobs: FileBlobStore;

beforeAll(async () => {
  database = await testDatabase();
  root = mkdtempSync(join(tmpdir(), 'git-submodules-'));
  blobs = new FileBlobStore(join(root, 'blobs'));
});
afterAll(async () => {
  await database.close();
  rmSync(root, { recursive: true, force: true });
});

function trees(protocols = 'file'): DatabaseGitTrees {
  const settings = readSettings({
    STOWAGE_DATA_DIR: join(root, 'data'),
    STOWAGE_GIT_ALLOWED_PROTOCOLS: protocols,
  });
  const log = { debug: () => {}, info: () => {}, warn: () => {} };
  const { signal } = new AbortController();
  return new DatabaseGitTrees({ sql: database.sql, blobs, settings, log, signal, retryDelays: [] });
}

/** Adds the head of another repository without cloning it. */
function addSubmodule(to: TestRepository, path: string, commit: string, gitModules: string): string {
  to.commit({ '.gitmodules': gitModules });
  to.git('update-index', '--add', '--cacheinfo', `160000,${commit},${path}`);
  to.git('commit', '--quiet', '-m', 'submodule');
  return to.head;
}

const section = (path: string, url: string, more = ''): string =>
  `[submodule "${path}"]\n\tpath = ${path}\n\turl = ${url}\n${more}`;

function nested(): { head: string; outer: TestRepository; inner: TestRepository; middle: TestRepository } {
  const inner = new TestRepository({ 'inner.txt': 'inner' });
  const middle = new TestRepository({ 'middle.txt': 'middle' });
  const middleHead = addSubmodule(middle, 'inner', inner.head, section('inner', inner.path));
  const outer = new TestRepository({ 'outer.txt': 'outer' });
  const url = `../${middle.path.split('/').at(-1)}`;
  return { head: addSubmodule(outer, 'sub', middleHead, section('sub', url)), outer, inner, middle };
}

describe('submodules', () => {
  test.each([
    ['none', ['.gitmodules', 'outer.txt', '160000 sub']],
    [
      'direct',
      ['.gitmodules', 'outer.txt', '160000 sub', 'sub/.gitmodules', '160000 sub/inner', 'sub/middle.txt'],
    ],
    [
      'recursive',
      [
        '.gitmodules',
        'outer.txt',
        '160000 sub',
        'sub/.gitmodules',
        '160000 sub/inner',
        'sub/inner/inner.txt',
        'sub/middle.txt',
      ],
    ],
  ] as const)('%s', async (submodules, expected) => {
    const { outer, head } = nested();
    const tree = await trees().tree(outer.path, head, { submodules });
    expect(
      [...tree.entries.values()].map(({ mode, path }) => (mode === '160000' ? `160000 ${path}` : path)),
    ).toEqual(expected);
    expect(tree.treeId).toBe(outer.git('rev-parse', 'HEAD^{tree}').trim());
  });

  test('are kept with the source: nobody is asked again, also when all repositories are gone', async () => {
    const { outer, head, middle } = nested();
    const first = await trees().snapshot(outer.path, head, { submodules: 'direct' });
    for (const { path } of [outer, middle]) renameSync(path, `${path}-gone`);
    rmSync(join(root, 'data', 'git'), { recursive: true });
    expect(await trees().snapshot(outer.path, head, { submodules: 'direct' })).toBe(first);
  });

  test('with update = none stay empty', async () => {
    const outer = new TestRepository({ 'outer.txt': 'outer' });
    const gitModules = section('sub', '/nowhere', '\tupdate = none\n');
    const head = addSubmodule(outer, 'sub', 'a'.repeat(40), gitModules);
    const tree = await trees().tree(outer.path, head, { submodules: 'direct' });
    expect([...tree.entries.keys()]).toEqual(['.gitmodules', 'outer.txt', 'sub']);
  });
});

describe('fails with the text of the contract, and says which one and why', () => {
  const inner = (): string => new TestRepository({ a: '1' }).path;
  test.each<[string, string, string]>([
    [
      'no repository there',
      section('sub', '/nowhere'),
      "sub: fatal: '/nowhere' does not appear to be a git repository",
    ],
    [
      'no such commit',
      section('sub', inner()),
      'sub: Checking out the Git repository failed. Please verify the supplied reference of "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is valid.',
    ],
    ['no entry', section('other', '/nowhere'), 'sub: .gitmodules has no URL for it'],
    ['a mistake', '[submodule', '.gitmodules: .gitmodules has a mistake in line 1'],
    [
      'an option',
      section('sub', '--upload-pack=id'),
      'sub: The repository "--upload-pack=id" was refused: it looks like an option.',
    ],
    [
      'a transport helper',
      section('sub', '"ext::sh -c id"'),
      'sub: The repository "ext::sh -c id" was refused: it contains blanks or control characters.',
    ],
    [
      'a protocol',
      section('sub', 'ftp://git.example/a'),
      'sub: The repository "ftp://git.example/a" was refused: the protocol ftp is not allowed. STOWAGE_GIT_ALLOWED_PROTOCOLS lists the protocols that a source may use.',
    ],
  ])('%s', async (_, gitModules, hint) => {
    const outer = new TestRepository({ 'outer.txt': 'outer' });
    const head = addSubmodule(outer, 'sub', 'a'.repeat(40), gitModules);
    const failed = trees().tree(outer.path, head, { submodules: 'direct' });
    const error = await failed.then(
      () => null,
      (reason: unknown) => reason as SubprocessCallError,
    );
    expect(error).toBeInstanceOf(SubprocessCallError);
    expect(error).toMatchObject({
      message: 'Updating the Git submodule(s) failed',
      code: 'git-failed',
      hint,
    });
  });
});
