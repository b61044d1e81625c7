import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar-stream';
import { beforeEach, describe, expect, test } from 'vitest';
import { openLocalCheckout, packCommit } from '../../../src/cli/prefetch/local-checkout.ts';
import { readSettings } from '../../../src/domain/config.ts';
import { temporaryDirectory } from '../../support/resolve-context.ts';

const signal = new AbortController().signal;

describe('a repository on this machine', () => {
  let root: string;
  let settings: ReturnType<typeof readSettings>;

  const git = (...args: string[]): string =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@stowage.example', ...args], {
      cwd: root,
      encoding: 'utf8',
    }).trim();

  beforeEach(() => {
    root = temporaryDirectory();
    settings = readSettings({ STOWAGE_DATA_DIR: temporaryDirectory() });
    git('init', '-q', '-b', 'main');
    writeFileSync(join(root, 'a.txt'), 'a\n');
    writeFileSync(join(root, 'run'), '#!/bin/sh\n');
    chmodSync(join(root, 'run'), 0o755);
    symlinkSync('a.txt', join(root, 'link'));
    // What would change the files if anything were checked out or exported.
    writeFileSync(join(root, '.gitattributes'), '* text eol=crlf\na.txt export-ignore\n');
    git('add', '-A');
    git('commit', '-q', '-m', 'one');
  });

  test('its HEAD, from any directory in it', async () => {
    mkdirSync(join(root, 'sub'));
    const checkout = await openLocalCheckout(settings, join(root, 'sub'), null, signal);
    expect(checkout).toMatchObject({
      root,
      gitDirectory: join(root, '.git'),
      commit: git('rev-parse', 'HEAD'),
      treeId: git('rev-parse', 'HEAD^{tree}'),
      warnings: [
        `${join(root, 'sub')} is a part of the repository ${root}: all of it is bundled, ` +
          'and paths of packages begin at its root',
      ],
    });
  });

  test('a tag, and a branch that is not checked out', async () => {
    git('tag', '-a', 'v1', '-m', 'v1');
    git('branch', 'other');
    const commit = git('rev-parse', 'HEAD');
    expect(await openLocalCheckout(settings, root, 'v1', signal)).toMatchObject({ commit });
    expect(await openLocalCheckout(settings, root, 'other', signal)).toMatchObject({ commit });
  });

  test('uncommitted changes are named', async () => {
    writeFileSync(join(root, 'a.txt'), 'changed\n');
    writeFileSync(join(root, 'new.txt'), '');
    expect((await openLocalCheckout(settings, root, null, signal)).warnings).toEqual([
      'uncommitted changes are not part of the bundle: a.txt, new.txt',
    ]);
    expect((await openLocalCheckout(settings, root, 'main', signal)).warnings).toEqual([]);
  });

  test('a bare repository', async () => {
    const bare = join(temporaryDirectory(), 'bare.git');
    git('clone', '-q', '--bare', root, bare);
    expect(await openLocalCheckout(settings, bare, null, signal)).toMatchObject({
      root: bare,
      commit: git('rev-parse', 'HEAD'),
      warnings: [],
    });
  });

  test('with a git directory of its own making, also from a shallow clone and a second work tree', async () => {
    git('tag', 'v1');
    git('commit', '--allow-empty', '-q', '-m', 'two');
    const shallow = join(temporaryDirectory(), 'shallow');
    git('clone', '-q', '--depth=1', `file://${root}`, shallow);
    const worktree = join(temporaryDirectory(), 'tree');
    execFileSync('git', ['worktree', 'add', '-q', '--detach', worktree], { cwd: shallow });
    git('config', 'remote.origin.url', 'https://t:secret@git.example/a.git');
    for (const [path, describe, subjects] of [
      [root, 'v1-1-g', 'two\none'],
      [shallow, null, 'two'],
      [worktree, null, 'two'],
    ] as const) {
      const checkout = await openLocalCheckout(settings, path, null, signal);
      const unpacked = temporaryDirectory();
      const tar: Uint8Array[] = [];
      const options = { withGitDirectory: true };
      for await (const chunk of packCommit(settings, checkout, signal, options)) tar.push(chunk);
      execFileSync('tar', ['xC', unpacked], { input: Buffer.concat(tar) });
      const at = join(unpacked, 'source');
      mkdirSync(join(at, '.git/refs'), { recursive: true });
      const inside = (...args: string[]): string =>
        execFileSync('git', args, { cwd: at, encoding: 'utf8' }).trim();
      expect(inside('log', '--format=%s')).toBe(subjects);
      expect(inside('config', '--local', '--list')).not.toContain('secret');
      if (describe !== null) expect(inside('describe', '--tags')).toContain(describe);
    }
  });

  test('its tree as a tar, in one directory: bytes of the objects, modes, links, no git directory', async () => {
    const checkout = await openLocalCheckout(settings, root, null, signal);
    const entries: Record<string, unknown> = {};
    const reader = extract();
    const reading = (async () => {
      for await (const entry of reader) {
        const chunks: Buffer[] = [];
        for await (const chunk of entry) chunks.push(chunk as Buffer);
        const { name, type, mode, linkname } = entry.header;
        expect(name.startsWith('source/')).toBe(true);
        entries[name.slice('source/'.length)] = {
          type,
          mode,
          content: Buffer.concat(chunks).toString(),
          ...(linkname && { linkname }),
        };
      }
    })();
    await Promise.all([reading, pipeline(packCommit(settings, checkout, signal), reader)]);
    expect(entries).toEqual({
      '.gitattributes': { type: 'file', mode: 0o644, content: '* text eol=crlf\na.txt export-ignore\n' },
      'a.txt': { type: 'file', mode: 0o644, content: 'a\n' },
      run: { type: 'file', mode: 0o755, content: '#!/bin/sh\n' },
      link: { type: 'symlink', mode: 0o777, content: '', linkname: 'a.txt' },
    });
  });

  test.each(['nope', '--all', 'HEAD~9'])('the ref %s', async (ref) => {
    await expect(openLocalCheckout(settings, root, ref, signal)).rejects.toMatchObject({
      code: 'bad-revision',
    });
  });

  test('no commit yet, no repository, a file', async () => {
    const empty = temporaryDirectory();
    await expect(openLocalCheckout(settings, empty, null, signal)).rejects.toMatchObject({
      code: 'not-a-git-repository',
    });
    execFileSync('git', ['init', '-q', empty]);
    await expect(openLocalCheckout(settings, empty, null, signal)).rejects.toMatchObject({
      code: 'bad-revision',
      message: `The repository ${empty} has no commit yet`,
    });
    await expect(openLocalCheckout(settings, join(root, 'a.txt'), null, signal)).rejects.toMatchObject({
      code: 'not-a-git-repository',
    });
  });
});
