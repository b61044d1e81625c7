import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BundleRequest } from '../../src/domain/bundle-requests/bundle-request.ts';
import { submitCachitoRequest } from '../../src/domain/bundle-requests/submit-cachito.ts';
import { readArchive } from '../../src/domain/bundles/archive-reader.ts';
import { openArchive } from '../../src/domain/bundles/open-archive.ts';
import { type BundleRow, findBundle } from '../../src/domain/database/sql/find-bundle.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';
import { receiveUpload } from '../../src/domain/sources/receive-upload.ts';
import { TestRepository } from '../support/git-repository.ts';
import { leftovers, NO_LEFTOVERS } from '../support/leftovers.ts';
import { startWorkerStack, type WorkerStack } from '../support/worker-stack.ts';

let stack: WorkerStack;
let root: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'stowage-git-sources-'));
  stack = await startWorkerStack();
});
afterAll(async () => {
  await stack.close();
  rmSync(root, { recursive: true, force: true });
});

interface Unpacked {
  request: BundleRequest;
  bundle: BundleRow;
  /** Paths of the source's files, without those of git directories. */
  files: string[];
  git(directory: string, ...args: string[]): string;
}

async function bundleOf(submission: Parameters<WorkerStack['run']>[0]): Promise<Unpacked> {
  const { database, blobs } = stack;
  const request = await stack.run(submission);
  expect(request).toMatchObject({ state: 'complete', error: null });
  const bundle = (await findBundle(database.sql, request.bundleDigest!))!;
  const directory = mkdtempSync(join(root, 'bundle-'));
  const archive = join(root, `${request.id}.tar.gz`);
  const layout = await openArchive(database.sql, blobs, bundle);
  await pipeline(readArchive(blobs, layout), createWriteStream(archive));
  execFileSync('tar', ['xzf', archive, '-C', directory]);
  const files = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .filter((path) => path.startsWith('app/') && !path.includes('/.git/'))
    .sort();
  const git = (below: string, ...args: string[]): string =>
    execFileSync('git', args, {
      cwd: join(directory, below),
      encoding: 'utf8',
      env: { PATH: process.env.PATH, HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' },
    }).trim();
  return { request, bundle, files, git };
}

/** A library with a tag, and a project that has it as a submodule, by a relative URL. */
function projectWithSubmodule(): { project: TestRepository; library: TestRepository } {
  const library = new TestRepository({ 'library.txt': '1' });
  library.git('tag', '-a', 'v3.0.0', '-m', 'three');
  library.commit({ 'library.txt': '2' });
  const project = new TestRepository({
    'project.txt': 'x',
    '.gitmodules': `[submodule "the library"]\n\tpath = lib\n\turl = ../${basename(library.path)}\n`,
  });
  project.git('update-index', '--add', '--cacheinfo', `160000,${library.head},lib`);
  project.git('commit', '--quiet', '-m', 'submodule');
  project.git('tag', 'v1.2.3');
  return { project, library };
}

describe('submodules', () => {
  test('are in the bundle when they are asked for, and reported', async () => {
    const { project, library } = projectWithSubmodule();
    const submission = { repository: project.path, ref: project.head };
    const { request, bundle, files } = await bundleOf({ ...submission, packageManagers: ['git-submodule'] });
    expect(files).toEqual(['app/.gitmodules', 'app/lib/library.txt', 'app/project.txt']);
    expect(request).toMatchObject({ packagesCount: 1, dependenciesCount: 0 });
    const packages = await stack.database.sql.query(
      `select p.path, v.type, v.name, v.version from request_packages p
       join package_versions v on v.id = p.package_version_id where request_id = $1`,
      [request.id],
    );
    const url = library.path;
    expect(packages).toEqual([
      { path: 'lib', type: 'git-submodule', name: 'the library', version: `${url}#${library.head}` },
    ]);
    expect(bundle.reproducibleDigest).toBeNull();

    const without = await bundleOf({ ...submission, packageManagers: [] });
    expect(without.files).toEqual(['app/.gitmodules', 'app/project.txt']);
  });

  test('may hold what other package managers work on', async () => {
    const { project, library } = projectWithSubmodule();
    library.commit({ 'setup.cfg': '[metadata]\nname = library\nversion = 3\n', 'requirements.txt': '' });
    project.git('update-index', '--cacheinfo', `160000,${library.head},lib`);
    project.git('commit', '--quiet', '-m', 'newer');
    const submission = { repository: project.path, ref: 'main', packages: { pip: [{ path: 'lib' }] } };
    const { request } = await bundleOf({ ...submission, packageManagers: ['git-submodule', 'pip'] });
    expect(request.packagesCount).toBe(2);
    const without = await stack.run({ ...submission, packageManagers: ['pip'] });
    expect(without).toMatchObject({ state: 'failed' });
  });

  test.each(['lib', '..', '/x'])('have no paths to choose from: %s', async (path) => {
    const submission = { repository: '/x', packages: { 'git-submodule': [{ path }] } };
    await expect(stack.submit(submission)).rejects.toMatchObject({ code: 'invalid-input' });
  });

  test('are detected', async () => {
    const { project } = projectWithSubmodule();
    const { request, files } = await bundleOf({ repository: project.path, ref: 'main' });
    expect(request.packageManagers).toEqual(['git-submodule']);
    expect(files).toEqual(['app/.gitmodules', 'app/lib/library.txt', 'app/project.txt']);
  });

  test('that are gone fail the request, which leaves nothing behind', async () => {
    const { project, library } = projectWithSubmodule();
    renameSync(library.path, `${library.path}-gone`);
    const submission = { repository: project.path, ref: project.head, packageManagers: ['git-submodule'] };
    const request = await stack.run(submission);
    expect(request).toMatchObject({
      state: 'failed',
      stateReason: 'Updating the Git submodule(s) failed',
      error: { errorType: 'SubprocessCallError', errorOrigin: 'server', code: 'git-failed' },
    });
    expect(request.error!.hint).toMatch(/^lib: /);
    await untilIdle();
    expect(await leftovers(stack.database, stack.blobs, stack.settings.dataDir)).toEqual(NO_LEFTOVERS);
  });
});

test('Cachito’s rules: the reasons of a request whose gomod finds no go.mod, and of submodules', async () => {
  const { project } = projectWithSubmodule();
  const body = { repo: project.path, ref: project.head, pkg_managers: ['gomod', 'git-submodule'] };
  const settings = { ...stack.settings, cachitoLoginDisabled: true };
  const { id } = await submitCachitoRequest(stack.database, settings, SYSTEM, body);
  expect(await stack.untilFinal(id)).toMatchObject({ state: 'complete', packagesCount: 1 });
  const states = await stack.database.sql.query<{ reason: string }>(
    'select reason from bundle_request_states where request_id = $1 order by version',
    [id],
  );
  expect(states.map(({ reason }) => reason)).toEqual([
    'The request was initiated',
    'Fetching the application source',
    'Assembling the bundle archive',
    'Aggregating packages data',
    'Completed successfully',
  ]);
});

describe('include-git-dir', () => {
  test('gives work trees that git takes for its own, also of submodules', async () => {
    const { project, library } = projectWithSubmodule();
    const submission = {
      repository: project.path,
      ref: project.head,
      packageManagers: ['git-submodule'],
    };
    const { bundle, git } = await bundleOf({ ...submission, flags: ['include-git-dir'] });
    expect(git('app', 'status', '--porcelain')).toBe('');
    expect(git('app', 'describe', '--tags', '--dirty')).toBe('v1.2.3');
    expect(git('app', 'log', '--format=%s')).toBe('submodule\nchange');
    expect(git('app/lib', 'status', '--porcelain')).toBe('');
    expect(git('app/lib', 'describe', '--dirty')).toBe(`v3.0.0-1-g${library.head.slice(0, 7)}`);
    expect(git('app', 'submodule', 'status')).toBe(
      `${library.head} lib (v3.0.0-1-g${library.head.slice(0, 7)})`,
    );

    const again = await stack.run({ ...submission, flags: ['include-git-dir'] });
    expect(again.bundleDigest).toBe(bundle.manifestDigest);
    const plain = await bundleOf(submission);
    expect(bundle.manifestDigest).not.toBe(plain.bundle.manifestDigest);
    expect(bundle.reproducibleDigest).toBe(plain.bundle.manifestDigest);
  });

  test('gives a clean work tree when submodules are not asked for', async () => {
    const { project } = projectWithSubmodule();
    const { git } = await bundleOf({
      repository: project.path,
      ref: project.head,
      packageManagers: [],
      flags: ['include-git-dir'],
    });
    expect(git('app', 'status', '--porcelain')).toBe('');
  });

  test('takes the git directory of an upload without what could do harm', async () => {
    const repository = new TestRepository({ 'a.txt': '1' });
    repository.git('tag', 'v1.0.0');
    repository.commit({ 'a.txt': '2' });
    repository.git('pack-refs', '--all');
    repository.git('gc', '--quiet');
    const head = repository.commit({ 'a.txt': '3' });
    const { path } = repository;
    writeFileSync(join(path, '.git/hooks/post-checkout'), '#!/bin/sh\ntouch /tmp/stowage-hook\n', {
      mode: 0o755,
    });
    repository.git('config', 'core.fsmonitor', 'touch /tmp/stowage-hook');
    repository.git('config', 'remote.origin.url', 'https://ada:secret@git.example/a.git');
    writeFileSync(join(path, '.git/objects/info/alternates'), '/etc\n');
    const { request, files, git, bundle } = await bundleOf(await upload(path));
    expect(files).toEqual(['app/a.txt']);
    expect(git('app', 'rev-parse', 'HEAD')).toBe(head);
    expect(git('app', 'status', '--porcelain')).toBe('');
    expect(git('app', 'describe', '--tags')).toBe(`v1.0.0-2-g${head.slice(0, 7)}`);
    expect(git('app', 'remote')).toBe('');
    expect(git('app', 'config', '--local', '--list').split('\n').sort()).toEqual([
      'core.bare=false',
      'core.filemode=true',
      'core.repositoryformatversion=0',
    ]);
    expect(bundle.reproducibleDigest).not.toBeNull();
    expect((await stack.log(request.id)).filter((line) => /warn/.test(line))).toEqual([]);
  });

  test.each<[string, (path: string) => void]>([
    ['without a HEAD', (path) => rmSync(join(path, '.git/HEAD'))],
    [
      'with a HEAD that names nothing',
      (path) => writeFileSync(join(path, '.git/HEAD'), 'ref: refs/heads/none\n'),
    ],
    ['without its objects', (path) => rmSync(join(path, '.git/objects'), { recursive: true })],
    [
      'with a pack that is none',
      (path) => writeFileSync(join(path, '.git/objects/pack', `pack-${'a'.repeat(40)}.pack`), 'PACK'),
    ],
  ])('refuses a git directory %s', async (_, spoil) => {
    const repository = new TestRepository({ 'a.txt': '1' });
    spoil(repository.path);
    const request = await stack.run(await upload(repository.path));
    expect(request).toMatchObject({
      state: 'failed',
      stateReason: 'The git directory of the archive cannot be used',
      error: { errorType: 'InvalidFileFormat', errorOrigin: 'client' },
    });
    await untilIdle();
    expect(await leftovers(stack.database, stack.blobs, stack.settings.dataDir)).toEqual(NO_LEFTOVERS);
  });

  test('of an upload that has none is a warning', async () => {
    const repository = new TestRepository({ 'a.txt': '1' });
    rmSync(join(repository.path, '.git'), { recursive: true });
    const { request, files } = await bundleOf(await upload(repository.path));
    expect(files).toEqual(['app/a.txt']);
    expect(await stack.log(request.id)).toContain('warn fetch-source: the archive has no git directory');
  });
});

async function upload(directory: string) {
  const archive = execFileSync('tar', ['c', '-C', join(directory, '..'), basename(directory)]);
  const file = { name: 'source.tar', open: () => Readable.from([archive]) };
  const { id } = await receiveUpload(stack, SYSTEM, file);
  return { uploadId: id, packageManagers: [], flags: ['include-git-dir'] };
}

/** The request ends before its worker has put everything away, its log among it. */
async function untilIdle(): Promise<void> {
  const busy = 'select from graphile_worker.jobs where locked_at is not null or run_at <= now()';
  await expect.poll(() => stack.database.sql.query(busy), { timeout: 20_000 }).toEqual([]);
}
