import { createReadStream } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import type { Settings } from '../../domain/config.ts';
import { InvalidRequestData, RepositoryAccessError } from '../../domain/errors.ts';
import type { NewEntry } from '../../domain/sources/source-snapshot.ts';
import { Git, GitFailure } from '../../workers/git/git-command.ts';
import { writeGitDirectory } from '../../workers/git/git-directory.ts';
import { listTree, readCommit, readRows } from '../../workers/git/read-tree.ts';
import { readReachableTags } from '../../workers/git/tag-history.ts';

/** One commit of a repository on this machine. */
export interface LocalCheckout {
  /** Of the work tree, or the repository itself when it is bare. */
  root: string;
  gitDirectory: string;
  commit: string;
  /** Seconds since 1970. */
  time: number;
  treeId: string;
  warnings: string[];
}

const MOST_NAMED = 5;

/** Throws RepositoryAccessError when there is no repository, InvalidRequestData when it has no such commit. */
export async function openLocalCheckout(
  settings: Settings,
  path: string,
  ref: string | null,
  signal: AbortSignal,
): Promise<LocalCheckout> {
  const git = new Git(settings, signal);
  const at = { workingDirectory: path, config: ['safe.directory=*'] };
  const gitDirectory = await git.text(['rev-parse', '--absolute-git-dir'], at).catch((error: unknown) => {
    throw error instanceof GitFailure || isNoDirectory(error) ? notARepository(path, error) : error;
  });
  const isBare = (await git.text(['rev-parse', '--is-bare-repository'], at)) === 'true';
  const root = isBare ? gitDirectory : await git.text(['rev-parse', '--show-toplevel'], at);
  const found = await readCommit(git, gitDirectory, ref ?? 'HEAD');
  if (!found) throw noSuchCommit(path, ref);
  const changed = isBare || ref !== null ? [] : await uncommitted(git, root);
  const below = isBare ? '' : await git.text(['rev-parse', '--show-prefix'], at);
  const warnings = [
    ...(below === '' ? [] : [partWarning(path, root)]),
    ...(changed.length > 0 ? [dirtyWarning(changed)] : []),
  ];
  return { root, gitDirectory, ...found, warnings };
}

/**
 * The commit's tree as a tar, read from git objects: no filter and no export attribute has a say. With a git directory the
 * archive has that as well, made for the commit and not that of the repository.
 */
export async function* packCommit(
  settings: Settings,
  checkout: LocalCheckout,
  signal: AbortSignal,
  { withGitDirectory = false }: { withGitDirectory?: boolean } = {},
): AsyncGenerator<Uint8Array> {
  const git = new Git(settings, signal);
  const rows = await listTree(git, checkout.gitDirectory, checkout.treeId);
  const gitDirectory = withGitDirectory ? await exportGitDirectory(git, checkout) : null;
  try {
    const tar = pack();
    const filling = fill(tar, readRows(git, rows), gitDirectory, checkout.time).catch((error: unknown) =>
      tar.destroy(error as Error),
    );
    for await (const chunk of tar) yield chunk as Uint8Array;
    await filling;
  } finally {
    if (gitDirectory !== null) await rm(gitDirectory, { recursive: true, force: true });
  }
}

/** In a temporary directory, which the caller removes. */
async function exportGitDirectory(git: Git, { gitDirectory, commit, root }: LocalCheckout): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'stowage-git-'));
  try {
    const tags = await readReachableTags(git, gitDirectory, commit);
    const parts = { commit, tags, history: gitDirectory, tagRepository: gitDirectory };
    await writeGitDirectory(git, { ...parts, url: null, hasSubmodules: false }, directory);
    return directory;
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    if (!(error instanceof GitFailure)) throw error;
    throw new RepositoryAccessError('git-failed', `The history of ${root} cannot be read`, {
      hint: error.message,
      cause: error,
    });
  }
}

/** Of an archive with one directory the server takes that as the root: without ours it could be one of the repository. */
const ROOT = 'source/';

async function fill(
  tar: Pack,
  entries: AsyncIterable<NewEntry>,
  gitDirectory: string | null,
  time: number,
): Promise<void> {
  const mtime = new Date(time * 1000);
  for await (const { path, mode, size, content, target } of entries) {
    const name = ROOT + path;
    if (mode === '160000') {
      tar.entry({ name, type: 'directory', mode: 0o755, mtime });
    } else if (mode === '120000') {
      tar.entry({ name, type: 'symlink', linkname: target ?? '', mode: 0o777, mtime });
    } else {
      const executable = mode === '100755';
      const entry = tar.entry({ name, type: 'file', mode: executable ? 0o755 : 0o644, size, mtime });
      await pipeline(Readable.from(content!), entry as unknown as Writable);
    }
  }
  if (gitDirectory !== null) await addGitDirectory(tar, gitDirectory, mtime);
  tar.finalize();
}

async function addGitDirectory(tar: Pack, directory: string, mtime: Date): Promise<void> {
  for (const found of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!found.isFile()) continue;
    const path = join(found.parentPath, found.name);
    const name = `${ROOT}.git/${relative(directory, path)}`;
    const { size } = await stat(path);
    const entry = tar.entry({ name, type: 'file', mode: 0o644, size, mtime });
    await pipeline(createReadStream(path), entry as unknown as Writable);
  }
}

async function uncommitted(git: Git, root: string): Promise<string[]> {
  const status = await git.run(['status', '--porcelain', '-z', '--no-renames'], {
    workingDirectory: root,
    config: ['safe.directory=*'],
  });
  const records = status.stdout.toString().split('\0').filter(Boolean);
  return records.map((record) => record.slice(3));
}

function dirtyWarning(changed: readonly string[]): string {
  const named = changed.slice(0, MOST_NAMED).join(', ');
  const more = changed.length > MOST_NAMED ? ` and ${changed.length - MOST_NAMED} more` : '';
  return `uncommitted changes are not part of the bundle: ${named}${more}`;
}

/** A lock file may refer to anything of its repository, so that a part of one cannot be bundled. */
function partWarning(path: string, root: string): string {
  return `${path} is a part of the repository ${root}: all of it is bundled, and paths of packages begin at its root`;
}

function notARepository(path: string, cause: unknown): RepositoryAccessError {
  return new RepositoryAccessError('not-a-git-repository', `${path} is not a git repository`, {
    cause,
    hint: 'Stowage bundles commits: run "git init", add the files and commit them, or name another directory.',
  });
}

function noSuchCommit(path: string, ref: string | null): InvalidRequestData {
  if (ref === null) {
    return new InvalidRequestData('bad-revision', `The repository ${path} has no commit yet`, {
      hint: 'Commit what the bundle has to contain.',
    });
  }
  return new InvalidRequestData('bad-revision', `There is no commit, branch or tag "${ref}" in ${path}`, {
    hint: '"git log --oneline --all" shows what there is.',
  });
}

function isNoDirectory(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOTDIR';
}
