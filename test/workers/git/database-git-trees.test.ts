import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { lfsPointers } from '../../../src/domain/sources/source-snapshot.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { DatabaseGitTrees } from '../../../src/workers/git/database-git-trees.ts';
import { testDatabase } from '../../support/database.ts';
import { TestRepository } from '../../support/git-repository.ts';

const GONE = 'f'.repeat(40);
let database: Database;
let root: string;
let blobs: FileBlobStore;
let dataDir: string;
let log: string[];

beforeAll(async () => {
  database = await testDatabase();
  root = mkdtempSync(join(tmpdir(), 'git-trees-'));
  blobs = new FileBlobStore(join(root, 'blobs'));
});
afterAll(async () => {
  await database.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  dataDir = mkdtempSync(join(root, 'data-'));
  log = [];
});

function trees(environment: Record<string, string> = {}, signal = new AbortController().signal) {
  const settings = readSettings({
    STOWAGE_DATA_DIR: dataDir,
    STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file,https,ssh,git',
    ...environment,
  });
  const write = (level: string) => (message: string) => void log.push(`${level} ${message}`);
  const steps = { debug: write('debug'), info: write('info'), warn: write('warn') };
  return new DatabaseGitTrees({
    sql: database.sql,
    blobs,
    settings,
    log: steps,
    signal,
    retryDelays: [1, 1],
  });
}

async function failure(
  action: Promise<unknown>,
): Promise<{ type: string; code: string; message: string; hint: string }> {
  const error = (await action.then(
    () => new Error('no error'),
    (reason: unknown) => reason,
  )) as Error & { code: string; hint: string };
  return { type: error.constructor.name, code: error.code, message: error.message, hint: error.hint };
}

const checkout = (ref: string) => ({
  type: 'InvalidRequestData',
  code: 'bad-revision',
  message: `Checking out the Git repository failed. Please verify the supplied reference of "${ref}" is valid.`,
});
const objects = (): number =>
  readdirSync(join(dataDir, 'git'))
    .filter((name) => name.endsWith('.git'))
    .map((name) =>
      execFileSync('git', ['--git-dir', join(dataDir, 'git', name), 'count-objects', '-v'], {
        encoding: 'utf8',
      }),
    )
    .map((text) => Number(/^count: (\d+)/m.exec(text)![1]) + Number(/^in-pack: (\d+)/m.exec(text)![1]))
    .reduce((sum, count) => sum + count, 0);

describe('tree', () => {
  test('gives the commit as git has it, and needs nothing when it is known', async () => {
    const repository = new TestRepository({
      'a.txt': 'one\r\n',
      '.gitattributes': '*.txt text eol=crlf export-ignore\n',
      'bin/run': { executable: '#!/bin/sh\n' },
      'bin/link': { link: '../a.txt' },
      empty: '',
      'ü/ß': 'x',
    });
    const tree = await trees().tree(repository.path, repository.head);
    expect(tree.commit).toBe(repository.head);
    expect(tree.treeId).toBe(repository.git('rev-parse', 'HEAD^{tree}').trim());
    expect(tree.time).toBe(Date.UTC(2024, 4, 6, 7, 8, 9) / 1000);
    expect([...tree.entries.values()].map(({ path, mode }) => `${mode} ${path}`)).toEqual([
      '100644 .gitattributes',
      '100644 a.txt',
      '120000 bin/link',
      '100755 bin/run',
      '100644 empty',
      '100644 ü/ß',
    ]);
    expect((await tree.read('bin/link')).toString()).toBe(repository.git('cat-file', 'blob', 'HEAD:a.txt'));

    const { head } = repository;
    renameSync(repository.path, `${repository.path}-gone`);
    rmSync(join(dataDir, 'git'), { recursive: true });
    expect((await trees().tree(repository.path, head)).treeId).toBe(tree.treeId);
    expect(readdirSync(dataDir)).toEqual([]);
  });

  test('a commit in the object cache needs no origin', async () => {
    const repository = new TestRepository({ a: '1' });
    const { head, path } = repository;
    const tree = await trees().tree(path, head);
    renameSync(path, `${path}-gone`);
    await database.sql.query('delete from source_snapshots where commit = $1', [head]);
    expect((await trees().tree(path, head)).treeId).toBe(tree.treeId);
  });

  test('a second commit costs the difference', async () => {
    const files = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`d/${index}`, `${index}`]));
    const repository = new TestRepository(files);
    await trees().tree(repository.path, repository.head);
    const before = objects();
    expect(before).toBe(50 + 2 + 1);
    const second = repository.commit({ 'd/1': 'changed' });
    expect((await (await trees().tree(repository.path, second)).read('d/1')).toString()).toBe('changed');
    expect(objects() - before).toBe(1 + 2 + 1);
  });

  test('commits on no branch and commits that were pushed away', async () => {
    const repository = new TestRepository({ a: '1' });
    const away = repository.commit({ a: '2' });
    repository.git('reset', '--hard', '--quiet', 'HEAD^');
    expect((await (await trees().tree(repository.path, away)).read('a')).toString()).toBe('2');
  });

  test('an unknown commit is the request’s fault, a tree is no commit', async () => {
    const repository = new TestRepository({ a: '1' });
    expect(await failure(trees().tree(repository.path, GONE))).toMatchObject(checkout(GONE));
    const treeId = repository.git('rev-parse', 'HEAD^{tree}').trim();
    expect(await failure(trees().tree(repository.path, treeId))).toMatchObject(checkout(treeId));
  });

  test('no repository there', async () => {
    expect(await failure(trees().tree(join(root, 'nothing'), GONE))).toMatchObject({
      type: 'RepositoryAccessError',
      code: 'git-failed',
      message: 'Cloning the Git repository failed',
    });
    const repository = new TestRepository({ a: '1' });
    await trees().tree(repository.path, repository.head);
    renameSync(repository.path, `${repository.path}-gone`);
    expect(await failure(trees().tree(repository.path, GONE))).toMatchObject({
      type: 'RepositoryAccessError',
      code: 'git-failed',
      message: 'Failed to fetch from the remote Git repository',
    });
  });

  test.each(['ssh://git@git.example/team/tool.git', 'git@git.example:team/tool.git'])(
    'where ssh is not allowed, %s is fetched over https, if that may be tried first',
    async (url) => {
      const repository = new TestRepository({ 'a.txt': 'x' });
      const gitConfig = join(dataDir, 'git.config');
      writeFileSync(
        gitConfig,
        `[url "file://${repository.path}"]\n\tinsteadOf = https://git.example/team/tool.git\n[safe]\n\tdirectory = *\n`,
      );
      const environment = { STOWAGE_GIT_CONFIG: gitConfig, STOWAGE_GIT_ALLOWED_PROTOCOLS: 'https,file' };
      const refused = await failure(trees(environment).tree(url, repository.head));
      expect(refused.message).toBe('Cloning the Git repository failed');
      expect(refused.hint).toContain('the protocol ssh is not allowed');
      const tree = await trees(environment).tree(url, repository.head, { httpsFirst: true });
      expect([...tree.entries.keys()]).toEqual(['a.txt']);
      const withoutHttps = { ...environment, STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file' };
      const { head } = new TestRepository({ 'b.txt': 'x' });
      const none = await failure(trees(withoutHttps).tree(url, head, { httpsFirst: true }));
      expect(none.hint).toContain('the protocol ssh is not allowed');
    },
  );

  test('LFS pointers are kept and known', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 12345\n`;
    const repository = new TestRepository({ 'big.bin': pointer, other: 'version x\n' });
    const tree = await trees().tree(repository.path, repository.head);
    expect(lfsPointers(tree)).toEqual(['big.bin']);
    expect((await tree.read('big.bin')).toString()).toBe(pointer);
  });

  test('a damaged cache is fetched again', async () => {
    const repository = new TestRepository({ a: '1', b: '2' });
    await trees().tree(repository.path, repository.head);
    await database.sql.query('delete from source_snapshots where commit = $1', [repository.head]);
    for (const name of readdirSync(join(dataDir, 'git')).filter((one) => one.endsWith('.git'))) {
      const id = repository.git('rev-parse', 'HEAD:b').trim();
      rmSync(join(dataDir, 'git', name, 'objects', id.slice(0, 2), id.slice(2)));
    }
    expect((await (await trees().tree(repository.path, repository.head)).read('b')).toString()).toBe('2');
    expect(log.filter((line) => line.startsWith('warn'))).toEqual([
      expect.stringMatching(/^warn git: the cached repository .* is damaged and is fetched again: /),
    ]);
  });

  test('stale locks of a killed git and of a killed process are in nobody’s way', async () => {
    const repository = new TestRepository({ a: '1' });
    await trees().tree(repository.path, repository.head);
    const name = readdirSync(join(dataDir, 'git')).find((one) => one.endsWith('.git'))!;
    writeFileSync(join(dataDir, 'git', name, 'shallow.lock'), '');
    writeFileSync(join(dataDir, 'git', `${name}.lock`), JSON.stringify({ host: 'x', pid: 1, started: '' }));
    execFileSync('touch', ['-d', '2 hours ago', join(dataDir, 'git', `${name}.lock`)]);
    const second = repository.commit({ a: '2' });
    expect((await trees().tree(repository.path, second)).commit).toBe(second);
  });

  test('many at once fetch once', async () => {
    const repository = new TestRepository({ a: '1' });
    const ids = await Promise.all(
      Array.from({ length: 8 }, async () => (await trees().tree(repository.path, repository.head)).treeId),
    );
    expect(new Set(ids).size).toBe(1);
    expect(log.filter((line) => line.startsWith('info git: fetching'))).toHaveLength(1);
  });

  test('an aborted fetch ends at once', async () => {
    const repository = new TestRepository({ a: '1' });
    const controller = new AbortController();
    const pending = failure(trees({}, controller.signal).tree(repository.path, repository.head));
    controller.abort(new Error('cancelled'));
    expect((await pending).message).toBe('cancelled');
  });

  test('repositories of other users, worktrees and shallow clones', async () => {
    const repository = new TestRepository({ a: '1' });
    const second = repository.commit({ a: '2' });
    const worktree = join(mkdtempSync(join(root, 'w-')), 'tree');
    repository.git('worktree', 'add', '--quiet', '--detach', worktree, second);
    expect((await trees().tree(worktree, second)).commit).toBe(second);
    const shallow = join(mkdtempSync(join(root, 's-')), 'clone');
    execFileSync('git', ['clone', '--quiet', '--depth=1', pathToFileURL(repository.path).href, shallow]);
    execFileSync('chown', ['-R', '65534', shallow]);
    expect((await trees().tree(shallow, second)).commit).toBe(second);
    expect(await failure(trees().tree(shallow, GONE))).toMatchObject(checkout(GONE));
  });
});
