import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { readSettings } from '../../../src/domain/config.ts';
import type { Database } from '../../../src/domain/database/database.ts';
import type { RequestFailure } from '../../../src/domain/errors.ts';
import type { Digest } from '../../../src/domain/storage/blob-store.ts';
import { FileBlobStore } from '../../../src/domain/storage/file-blob-store.ts';
import { DatabaseGitTrees } from '../../../src/workers/git/database-git-trees.ts';
import { parseRepositoryUrl } from '../../../src/workers/git/repository-url.ts';
import { fetchGitSource } from '../../../src/workers/sources/fetch-git-source.ts';
import { testDatabase } from '../../support/database.ts';
import { type RepositoryFile, TestRepository } from '../../support/git-repository.ts';
import { listen } from '../../support/network.ts';

/** cachito.md 4.2, for sources: what is kept is used without any network, what fails says so in the contract's words. */

let database: Database;
let root: string;
let blobs: FileBlobStore;
let log: string[];

beforeAll(async () => {
  database = await testDatabase();
  root = mkdtempSync(join(tmpdir(), 'stored-sources-'));
  blobs = new FileBlobStore(join(root, 'blobs'));
});
afterAll(async () => {
  await database.close();
  rmSync(root, { recursive: true, force: true });
});
beforeEach(() => {
  log = [];
});
afterEach(() => {
  vi.unstubAllEnvs();
});

interface Options {
  flags?: 'remove-unsafe-symlinks'[];
  environment?: Record<string, string>;
  dataDir?: string;
}

function fetch(repository: string, ref: string, { flags = [], environment = {}, dataDir }: Options = {}) {
  const settings = readSettings({
    STOWAGE_DATA_DIR: dataDir ?? mkdtempSync(join(root, 'data-')),
    STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file',
    ...environment,
  });
  const write = (level: string) => (message: string) => void log.push(`${level} ${message}`);
  const steps = { debug: write('debug'), info: write('info'), warn: write('warn') };
  const { signal } = new AbortController();
  const context = { sql: database.sql, blobs, settings };
  const git = new DatabaseGitTrees({ ...context, log: steps, signal, retryDelays: [] });
  return fetchGitSource({ repository, ref, flags, submodules: 'none' }, { ...context, git });
}

const paths = (source: Awaited<ReturnType<typeof fetch>>): string[] => [...source.tree.entries.keys()];

describe('a source that was fetched before', () => {
  test('is used without any network: the repository may be gone, and the cache of the worker too', async () => {
    const repository = new TestRepository({ a: '1' });
    const { head, path } = repository;
    const first = await fetch(path, head);
    renameSync(path, `${path}-gone`);
    const again = await fetch(path, head);
    expect(again.snapshot).toBe(first.snapshot);
    expect(log.filter((line) => line.includes('fetching'))).toHaveLength(1);
  });

  test.each<[string, 'index' | 'pack', (file: string) => void]>([
    ['a changed index', 'index', (file) => overwrite(file, readFileSync(file, 'utf8').replace('"a"', '"b"'))],
    ['an index that is cut off', 'index', (file) => overwrite(file, '{"formatVersion":1')],
    ['changed contents', 'pack', (file) => overwrite(file, 'X')],
    ['missing contents', 'pack', (file) => rmSync(file)],
  ])('is made again when it has %s', async (_, part, damage) => {
    const repository = new TestRepository({ a: `content of ${_}` });
    const { head, path } = repository;
    const first = await fetch(path, head);
    const [row] = await database.sql.query<{ index: Digest; pack: Digest }>(
      'select index_digest as index, pack_digest as pack from source_snapshots where commit = $1',
      [head],
    );
    damage(blobs.localPath(row![part]));
    const again = await fetch(path, head);
    expect(again.snapshot).toBe(first.snapshot);
    expect((await again.tree.read('a')).toString()).toBe(`content of ${_}`);
    expect(log).toContainEqual(
      expect.stringMatching(/^warn git: the stored tree of .* is damaged and is made again$/),
    );
  });

  test('of the same repository saves all but the difference', async () => {
    const dataDir = mkdtempSync(join(root, 'data-'));
    const repository = new TestRepository({ a: '1', b: '2' });
    await fetch(repository.path, repository.head, { dataDir });
    const second = repository.commit({ a: '3' });
    expect(paths(await fetch(repository.path, second, { dataDir }))).toEqual(['a', 'b']);
  });
});

describe('the key of a stored source', () => {
  const settings = readSettings({});
  test.each([
    ['https://git.example/a/b', 'git.example/a/b'],
    ['https://git.example/a/b.git/', 'git.example/a/b'],
    ['http://git.example/a/b', 'git.example/a/b'],
    ['git@git.example:a/b.git', 'git.example/a/b'],
    ['https://git.example:443/a/b', 'git.example/a/b'],
    ['https://git.example:8443/a/b', 'git.example:8443/a/b'],
    ['https://other.example/a/b', 'other.example/a/b'],
    ['https://GIT.example/A/b', 'git.example/A/b'],
  ])('%s', (url, key) => {
    expect(parseRepositoryUrl(url, settings).origin).toBe(key);
  });
});

const CLONE = 'Cloning the Git repository failed';
const FETCH = 'Failed to fetch from the remote Git repository';
const NOWHERE = '/nowhere/at/all';
const GONE = 'f'.repeat(40);

describe('fails in the words of the contract', () => {
  const failure = async (source: Promise<unknown>) => {
    const error = (await source.then(
      () => new Error('no error'),
      (reason: unknown) => reason,
    )) as RequestFailure;
    return { type: error.name, origin: error.origin, message: error.message };
  };
  const server = (type: string, message: string) => ({ type, origin: 'server', message });
  const client = (type: string, message: string) => ({ type, origin: 'client', message });

  test.each<[string, string, ReturnType<typeof server>]>([
    ['no repository', NOWHERE, server('RepositoryAccessError', CLONE)],
    ['an empty name', '', server('RepositoryAccessError', CLONE)],
    ['a protocol that is not allowed', 'https://git.example/a', server('RepositoryAccessError', CLONE)],
    ['an option', '--upload-pack=id', server('RepositoryAccessError', CLONE)],
    ['a transport helper', 'ext::sh -c id', server('RepositoryAccessError', CLONE)],
  ])('%s', async (_, repository, expected) => {
    expect(await failure(fetch(repository, GONE))).toEqual(expected);
  });

  test('a private address, before anything is asked of it', async () => {
    let connections = 0;
    const listener = createServer().on('connection', () => {
      connections += 1;
    });
    const port = await portOf(listener);
    const environment = { STOWAGE_GIT_ALLOWED_PROTOCOLS: 'http' };
    const source = fetch(`http://127.0.0.1:${port}/a.git`, GONE, { environment });
    expect(await failure(source)).toEqual(server('RepositoryAccessError', CLONE));
    expect(connections).toBe(0);
    listener.closeAllConnections();
    listener.close();
  });

  test('a repository that is gone since the last time', async () => {
    const dataDir = mkdtempSync(join(root, 'data-'));
    const repository = new TestRepository({ a: '1' });
    await fetch(repository.path, repository.head, { dataDir });
    renameSync(repository.path, `${repository.path}-gone`);
    expect(await failure(fetch(repository.path, GONE, { dataDir }))).toEqual(
      server('RepositoryAccessError', FETCH),
    );
  });

  test('a commit that is not there', async () => {
    const repository = new TestRepository({ a: '1' });
    const message = `Checking out the Git repository failed. Please verify the supplied reference of "${GONE}" is valid.`;
    expect(await failure(fetch(repository.path, GONE))).toEqual(client('InvalidRequestData', message));
  });

  test('a server that does not answer in time', async () => {
    const listener = createServer(() => undefined);
    const port = await portOf(listener);
    const environment = {
      STOWAGE_GIT_ALLOWED_PROTOCOLS: 'http',
      STOWAGE_ALLOW_PRIVATE_NETWORKS: 'true',
      STOWAGE_LIMITS: 'commandSeconds=1',
    };
    const source = fetch(`http://127.0.0.1:${port}/a.git`, GONE, { environment });
    expect(await failure(source)).toEqual(
      server('NetworkError', 'The connection timed out while downloading the source'),
    );
    listener.closeAllConnections();
    listener.close();
  });

  test.each<[string, Record<string, RepositoryFile>, string]>([
    ['an absolute path', { 'a/link': { link: '/etc/passwd' } }, 'a/link'],
    ['a path above the root', { 'a/b/link': { link: '../../../x' } }, 'a/b/link'],
    ['a way through another link', { dir: { link: '.' }, link: { link: 'dir/../../x' } }, 'link'],
  ])('a link to %s', async (_, files, link) => {
    const repository = new TestRepository({ file: '', ...files });
    const source = () => fetch(repository.path, repository.head);
    expect(await failure(source())).toEqual(
      client('ValidationError', `The destination of '${link}' is outside of cloned repository`),
    );
    const flags = ['remove-unsafe-symlinks' as const];
    const removed = await fetch(repository.path, repository.head, { flags });
    expect(paths(removed)).not.toContain(link);
    expect(paths(removed)).toContain('file');
  });

  test('a command of which it says nothing', async () => {
    const bin = mkdtempSync(join(root, 'bin-'));
    const git = execFileSync('sh', ['-c', 'command -v git'], { encoding: 'utf8' }).trim();
    writeFileSync(
      join(bin, 'git'),
      `#!/bin/sh
      case "$*" in
        *--depth=1*) echo 'error: Server does not allow request for unadvertised object' >&2; exit 128;;
        *update-ref*) echo 'fatal: disk full' >&2; exit 128;;
      esac
      exec ${git} "$@"\n`,
    );
    chmodSync(join(bin, 'git'), 0o755);
    vi.stubEnv('PATH', `${bin}:${process.env.PATH}`);
    const repository = new TestRepository({ a: '1' });
    expect(await failure(fetch(repository.path, repository.head))).toEqual(
      server('SubprocessCallError', 'An unexpected error occurred'),
    );
  });
});

test('links that lead in circles, or nowhere, stay', async () => {
  const repository = new TestRepository({
    one: { link: 'two' },
    two: { link: 'one' },
    'deep/self': { link: 'self' },
    'deep/up': { link: '..' },
    nowhere: { link: 'is/not/there' },
  });
  expect(paths(await fetch(repository.path, repository.head))).toEqual([
    'deep/self',
    'deep/up',
    'nowhere',
    'one',
    'two',
  ]);
});

test('a commit on no branch', async () => {
  const repository = new TestRepository({ a: '1' });
  const away = repository.commit({ a: '2' });
  repository.git('reset', '--hard', '--quiet', 'HEAD^');
  expect((await fetch(repository.path, away)).commit).toBe(away);
});

async function portOf(server: Server): Promise<number> {
  await listen(server);
  return (server.address() as AddressInfo).port;
}

/** Blobs are read-only. */
function overwrite(file: string, content: string): void {
  chmodSync(file, 0o644);
  writeFileSync(file, content);
}
