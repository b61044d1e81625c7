import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import { DatabaseGitTrees } from '../../../src/workers/git/database-git-trees.ts';
import { testDatabase } from '../../support/database.ts';
import { TestRepository } from '../../support/git-repository.ts';
import { MemoryBlobStore } from '../../support/memory-blob-store.ts';

let database: Database;
let root: string;
let repository: TestRepository;
let parent: string;
let commit: string;

beforeAll(async () => {
  database = await testDatabase();
  root = mkdtempSync(join(tmpdir(), 'commit-pack-'));
  repository = new TestRepository();
  parent = repository.commit({ 'kept.txt': 'kept\n', 'old.txt': 'old\n' });
  commit = repository.commit({
    'deep/er/new.txt': 'new\n',
    'old.txt': 'changed\n',
    link: { link: 'old.txt' },
  });
});
afterAll(async () => {
  await database.close();
  for (const path of [root, repository.path]) rmSync(path, { recursive: true, force: true });
});

function trees(dataDir: string, signal = new AbortController().signal): DatabaseGitTrees {
  return new DatabaseGitTrees({
    sql: database.sql,
    blobs: new MemoryBlobStore(),
    settings: readSettings({ STOWAGE_DATA_DIR: dataDir, STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file' }),
    log: { debug: () => {}, info: () => {}, warn: () => {} },
    signal,
    retryDelays: [1, 1],
  });
}

const newDirectory = () => mkdtempSync(join(root, 'data-'));

/** Ids of the objects in a pack, and what they are. */
function objectsOf(index: string): string[] {
  const output = execFileSync('git', ['verify-pack', '-v', index], { encoding: 'utf8' });
  return [...output.matchAll(/^([0-9a-f]{40}) (commit|tree|blob)/gm)]
    .map(([, id, type]) => `${type} ${id}`)
    .sort();
}

function expectedObjects(): string[] {
  const id = (revision: string) => repository.git('rev-parse', revision).trim();
  return [
    `commit ${commit}`,
    ...[`${commit}^{tree}`, `${commit}:deep`, `${commit}:deep/er`].map((tree) => `tree ${id(tree)}`),
    ...['kept.txt', 'old.txt', 'deep/er/new.txt', 'link'].map((path) => `blob ${id(`${commit}:${path}`)}`),
  ].sort();
}

test('a pack holds one commit with all its files, and nothing of its history', async () => {
  const directory = newDirectory();
  const [pack, index] = [join(directory, 'commit.pack'), join(directory, 'commit.idx')];
  const git = trees(directory);
  await git.packCommit(repository.path, commit, pack);
  await git.indexPack(pack, index);
  expect(objectsOf(index)).toEqual(expectedObjects());
  expect(objectsOf(index).join()).not.toContain(parent);
  expect(readdirSync(directory).sort()).toEqual(['commit.idx', 'commit.pack', 'git']);
});

test('the same bytes from another cache', async () => {
  const packs: Buffer[] = [];
  for (const known of [[], [parent]]) {
    const directory = newDirectory();
    const git = trees(directory);
    for (const id of known) await git.tree(repository.path, id);
    await git.packCommit(repository.path, commit, join(directory, 'commit.pack'));
    packs.push(readFileSync(join(directory, 'commit.pack')));
  }
  expect(packs[0]).toEqual(packs[1]);
});

test('a damaged cache is fetched again', async () => {
  const directory = newDirectory();
  const git = trees(directory);
  const pack = join(directory, 'commit.pack');
  await git.packCommit(repository.path, commit, pack);
  const before = readFileSync(pack);
  rmSync(pack);
  const blob = repository.git('rev-parse', `${commit}:kept.txt`).trim();
  const [object] = readdirSync(join(directory, 'git'), { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, 'git', name))
    .filter((path) => path.endsWith(`/objects/${blob.slice(0, 2)}/${blob.slice(2)}`));
  rmSync(object!);
  writeFileSync(object!, 'damaged');
  await git.packCommit(repository.path, commit, pack);
  expect(readFileSync(pack)).toEqual(before);
});

test('a commit that is not there', async () => {
  const directory = newDirectory();
  await expect(
    trees(directory).packCommit(repository.path, 'f'.repeat(40), join(directory, 'commit.pack')),
  ).rejects.toMatchObject({ name: 'InvalidRequestData', code: 'bad-revision' });
});

test('cancelled', async () => {
  const directory = newDirectory();
  const cancelled = AbortSignal.abort(new Error('cancelled'));
  await expect(
    trees(directory, cancelled).packCommit(repository.path, commit, join(directory, 'commit.pack')),
  ).rejects.toThrow('cancelled');
});
