import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readSettings } from '../../../../src/domain/config.ts';
import type { Database } from '../../../../src/domain/database/database.ts';
import { pip } from '../../../../src/workers/ecosystems/pip/index.ts';
import { DatabaseGitTrees } from '../../../../src/workers/git/database-git-trees.ts';
import { testDatabase } from '../../../support/database.ts';
import { TestRepository } from '../../../support/git-repository.ts';
import { memorySourceTree } from '../../../support/memory-source-tree.ts';
import { resolveContext } from '../../../support/resolve-context.ts';

let database: Database;
let root: string;

beforeAll(async () => {
  database = await testDatabase();
  root = mkdtempSync(join(tmpdir(), 'pip-git-'));
});
afterAll(async () => {
  await database.close();
  rmSync(root, { recursive: true, force: true });
});

/** The archive of a git dependency, unpacked, and which files of the bundle are not the same everywhere. */
async function archiveOf(flags: 'include-git-dir'[]) {
  const tool = new TestRepository({ 'setup.cfg': '[metadata]\nname = tool\nversion = attr: tool.version\n' });
  tool.git('tag', 'v7.0');
  tool.commit({ 'tool.py': 'version = "?"\n' });
  const url = 'https://git.example/team/tool.git';
  const gitConfig = join(root, 'gitconfig');
  writeFileSync(gitConfig, `[url "${tool.path}"]\n\tinsteadOf = ${url}\n`);
  const settings = readSettings({ STOWAGE_DATA_DIR: join(root, 'data'), STOWAGE_GIT_CONFIG: gitConfig });
  const { context, blobs } = resolveContext({
    source: memorySourceTree({
      'setup.cfg': '[metadata]\nname = project\nversion = 1.0\n',
      'requirements.txt': `tool @ git+${url}@${tool.head}\n`,
    }),
    request: { flags: new Set(flags) },
    settings: { pypiIndex: 'http://127.0.0.1:9/simple' },
  });
  const { log, signal } = context;
  context.git = new DatabaseGitTrees({ sql: database.sql, blobs, settings, log, signal });
  const resolution = await pip.resolve(context);
  const archive = resolution.files.find(({ path }) => path.endsWith('.tar.gz'))!;
  const directory = mkdtempSync(join(root, 'archive-'));
  execFileSync('tar', ['xzC', directory], { input: await blobs.readWhole(archive.digest) });
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: join(directory, 'app'), encoding: 'utf8' }).trim();
  const varying = resolution.files.filter(({ varies }) => varies).map(({ path }) => path);
  return { directory, git, tool, varying, archive };
}

test('with the flag the archive is a clone, and so not the same everywhere', async () => {
  const { git, tool, varying, archive } = await archiveOf(['include-git-dir']);
  expect(git('describe', '--tags', '--dirty')).toBe(`v7.0-1-g${tool.head.slice(0, 7)}`);
  expect(git('status', '--porcelain')).toBe('');
  expect(git('remote', 'get-url', 'origin')).toBe('https://git.example/team/tool.git');
  expect(varying).toEqual([archive.path, 'deps/pip/index.html']);
});

test('without it the archive has the tree and nothing else', async () => {
  const { directory, varying } = await archiveOf([]);
  const found = execFileSync('find', ['.', '-type', 'f'], { cwd: directory, encoding: 'utf8' });
  expect(found.trim().split('\n').sort()).toEqual(['./app/setup.cfg', './app/tool.py']);
  expect(varying).toEqual([]);
});
