import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { DatabaseGitTrees } from '../../../src/workers/git/database-git-trees.ts';
import { testDatabase } from '../../support/database.ts';
import { TestRepository } from '../../support/git-repository.ts';

let database: Database;
let root: string;
let blobs: FileBlobStore;

beforeAll(async () => {
  database = await testDatabase();
  root = mkdtempSync(join(tmpdir(), 'git-directory-'));
  blobs = new FileBlobStore(join(root, 'blobs'));
});
afterAll(async () => {
  await database.close();
  rmSync(root, { recursive: true, force: true });
});

/** A work tree of the commit, with its git directory, as a consumer of a bundle has it. */
async function checkOut(
  path: string,
  commit: string,
  {
    environment = {},
    dataDir = mkdtempSync(join(root, 'data-')),
  }: { environment?: object; dataDir?: string } = {},
): Promise<{ git: (...args: string[]) => string; directory: string }> {
  const settings = readSettings({
    STOWAGE_DATA_DIR: dataDir,
    STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file,https',
    ...environment,
  });
  const log = { debug: () => {}, info: () => {}, warn: () => {} };
  const { signal } = new AbortController();
  const trees = new DatabaseGitTrees({ sql: database.sql, blobs, settings, log, signal, retryDelays: [] });
  const directory = mkdtempSync(join(root, 'tree-'));
  await (await trees.tree(path, commit)).exportTo(directory);
  mkdirSync(join(directory, '.git'));
  await trees.exportGitDirectory(path, commit, join(directory, '.git'));
  const git = (...args: string[]): string =>
    execFileSync('git', args, {
      cwd: directory,
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' },
    }).trim();
  return { git, directory };
}

function versions(): TestRepository {
  const repository = new TestRepository({ 'a.txt': '1\n', 'bin/run': { executable: '#!/bin/sh\n' } });
  repository.git('tag', 'v1.0.0');
  repository.commit({ 'a.txt': '2\n', link: { link: 'a.txt' } }, 'second');
  repository.git('tag', '-a', 'v1.1.0', '-m', 'one point one');
  repository.commit({ 'a.txt': '3\n' }, 'third');
  return repository;
}

describe('a git directory', () => {
  test('works: clean, with history, tags and all contents', async () => {
    const repository = versions();
    const { head } = repository;
    repository.commit({ 'a.txt': 'later' });
    repository.git('tag', 'v2.0.0');
    const { git } = await checkOut(repository.path, head);
    expect(git('status', '--porcelain')).toBe('');
    expect(git('rev-parse', 'HEAD')).toBe(head);
    expect(git('log', '--format=%s')).toBe('third\nsecond\nchange');
    expect(git('tag', '--list')).toBe('v1.0.0\nv1.1.0');
    expect(git('describe', '--dirty')).toBe(`v1.1.0-1-g${head.slice(0, 7)}`);
    expect(git('cat-file', '-t', 'v1.1.0')).toBe('tag');
    expect(git('log', '-1', '--format=', '--patch', 'HEAD~1', '--', 'a.txt')).toContain('+2');
    expect(git('fsck', '--full', '--strict')).toBe('');
    git('-c', 'user.name=Ada', '-c', 'user.email=ada@git.example', 'commit', '--allow-empty', '-m', 'more');
  });

  test('holds nothing of the worker, no hook, and no password', async () => {
    const repository = versions();
    const mirror = join(mkdtempSync(join(root, 'mirror-')), 'config');
    writeFileSync(
      mirror,
      `[url "${repository.path}"]\n\tinsteadOf = "https://ada:secret@git.example/a\\"b.git"\n`,
    );
    const { git, directory } = await checkOut('https://ada:secret@git.example/a"b.git', repository.head, {
      environment: { STOWAGE_GIT_CONFIG: mirror },
    });
    const gitDirectory = join(directory, '.git');
    expect(
      readdirSync(gitDirectory, { recursive: true })
        .map(String)
        .filter((name) => !/\/pack-/.test(name))
        .sort(),
    ).toEqual([
      'HEAD',
      'config',
      'index',
      'objects',
      'objects/info',
      'objects/pack',
      'packed-refs',
      'refs',
      'refs/heads',
      'refs/tags',
    ]);
    expect(
      readdirSync(join(gitDirectory, 'objects/pack')).map((name) => name.replace(/[0-9a-f]{40}/, '…')),
    ).toEqual(['pack-….idx', 'pack-….pack']);
    expect(git('remote', 'get-url', 'origin')).toBe('https://git.example/a%22b.git');
    const texts = ['config', 'packed-refs', 'HEAD', 'index'].map((name) =>
      readFileSync(join(gitDirectory, name), 'latin1'),
    );
    for (const hidden of ['secret', root, tmpdir()]) expect(texts.join('')).not.toContain(hidden);
  });

  test('of a repository on the worker names no remote', async () => {
    const repository = versions();
    const { git } = await checkOut(repository.path, repository.head);
    expect(git('remote')).toBe('');
  });

  test('needs no network the second time', async () => {
    const repository = versions();
    const { head, path } = repository;
    const dataDir = mkdtempSync(join(root, 'data-'));
    await checkOut(path, head, { dataDir });
    renameSync(path, `${path}-gone`);
    const { git } = await checkOut(path, head, { dataDir });
    expect(git('describe')).toBe(`v1.1.0-1-g${head.slice(0, 7)}`);
  });

  test('is made again when the cache is damaged', async () => {
    const repository = versions();
    const dataDir = mkdtempSync(join(root, 'data-'));
    await checkOut(repository.path, repository.head, { dataDir });
    for (const name of readdirSync(join(dataDir, 'git')).filter((one) => one.endsWith('.full.git'))) {
      for (const blob of objectsOf(join(dataDir, 'git', name)))
        writeFileSync(blob, 'damaged', { flag: 'r+' });
    }
    const { git } = await checkOut(repository.path, repository.head, { dataDir });
    expect(git('fsck', '--full')).toBe('');
  });

  test('of a commit on no branch, of a shallow repository, and with SHA-256', async () => {
    const repository = versions();
    const { head } = repository;
    repository.git('reset', '--hard', '--quiet', 'HEAD^');
    expect((await checkOut(repository.path, head)).git('rev-parse', 'HEAD')).toBe(head);

    const shallow = join(mkdtempSync(join(root, 's-')), 'clone');
    const url = pathToFileURL(repository.path).href;
    execFileSync('git', ['clone', '--quiet', '--depth=1', url, shallow]);
    const checkout = await checkOut(shallow, repository.head);
    expect(checkout.git('log', '--format=%s')).toBe('second');
    expect(checkout.git('status', '--porcelain')).toBe('');
    expect(checkout.git('fsck', '--full')).toBe('');

    const sha256 = mkdtempSync(join(root, 'sha256-'));
    const git = (...args: string[]): string =>
      execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@git.example', ...args], {
        cwd: sha256,
        encoding: 'utf8',
      });
    git('init', '--quiet', '--object-format=sha256');
    git('commit', '--quiet', '--allow-empty', '-m', 'first');
    const commit = git('rev-parse', 'HEAD').trim();
    expect((await checkOut(sha256, commit)).git('log', '--format=%H')).toBe(commit);
  });
});

/** All loose objects and packs. */
function objectsOf(gitDirectory: string): string[] {
  const names = readdirSync(join(gitDirectory, 'objects'), { recursive: true }).map(String);
  const files = names
    .filter((name) => /\.pack$|^[0-9a-f]{2}\//.test(name))
    .map((name) => join(gitDirectory, 'objects', name));
  for (const file of files) execFileSync('chmod', ['u+w', file]);
  return files;
}
