import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Settings } from '../../domain/config.ts';
import { InvalidFileFormat } from '../../domain/errors.ts';
import type { ArchiveMember } from '../../domain/sources/archives/archive-members.ts';
import { Git, GitFailure } from '../git/git-command.ts';
import { gitConfigText, writeGitDirectory } from '../git/git-directory.ts';
import { DamagedRepositoryError } from '../git/object-reader.ts';
import { readCommit } from '../git/read-tree.ts';
import { readReachableTags } from '../git/tag-history.ts';

/**
 * What is taken of a git directory that somebody packed: commits, contents and the names of commits. Never its
 * configuration, hooks, alternates, index files of packs, or whatever else could make git do or read something.
 */
const TAKEN = [
  /^HEAD$/,
  /^packed-refs$/,
  /^shallow$/,
  /^refs\/(?:heads|tags)\/.+$/,
  /^objects\/[0-9a-f]{2}\/(?:[0-9a-f]{38}|[0-9a-f]{62})$/,
  /^objects\/pack\/pack-[0-9a-f]+\.pack$/,
];

const PACK = /\.pack$/;

/**
 * Writes the git directory of an uploaded archive into an existing empty directory, made anew from the objects and refs
 * that the archive has: the commit of its HEAD with history and tags. `members` are those below `.git/`, by their paths
 * there. Throws InvalidFileFormat when they are no usable repository.
 */
export async function exportUploadedGitDirectory(
  members: ReadonlyMap<string, ArchiveMember>,
  directory: string,
  context: { settings: Settings; signal: AbortSignal; temporaryDirectory: string },
): Promise<void> {
  const repository = await mkdtemp(join(context.temporaryDirectory, 'uploaded-git-'));
  const git = new Git(context.settings, context.signal);
  try {
    await writeRepository(members, repository, git);
    const head = await readCommit(git, repository, 'HEAD');
    if (!head) throw unusable('its HEAD names no commit');
    const { commit } = head;
    const tags = await readReachableTags(git, repository, commit);
    const parts = { commit, history: repository, tags, tagRepository: repository };
    await writeGitDirectory(git, { ...parts, url: null, hasSubmodules: false }, directory);
  } catch (error) {
    if (!isUnusable(error)) throw error;
    throw unusable(error.message, error);
  } finally {
    await rm(repository, { recursive: true, force: true });
  }
}

async function writeRepository(
  members: ReadonlyMap<string, ArchiveMember>,
  repository: string,
  git: Git,
): Promise<void> {
  for (const name of ['objects/pack', 'refs/heads', 'refs/tags']) {
    await mkdir(join(repository, name), { recursive: true });
  }
  const packs: string[] = [];
  for (const [path, { content, size }] of members) {
    git.signal.throwIfAborted();
    if (!content || !TAKEN.some((pattern) => pattern.test(path))) continue;
    const file = join(repository, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, size === 0 ? '' : content);
    if (PACK.test(path)) packs.push(file);
  }
  await writeFile(join(repository, 'config'), gitConfigText(objectFormat(members), null));
  for (const pack of packs) await git.run(['index-pack', pack], { gitDirectory: repository });
}

/** By the names of loose objects and refs being what they are, the only thing of the configuration that matters. */
function objectFormat(members: ReadonlyMap<string, ArchiveMember>): 'sha1' | 'sha256' {
  const isSha256 = [...members.keys()].some((path) =>
    /^objects\/(?:[0-9a-f]{2}\/[0-9a-f]{62}|pack\/pack-[0-9a-f]{64}\.pack)$/.test(path),
  );
  return isSha256 ? 'sha256' : 'sha1';
}

/** Names of refs may exclude each other, as files and directories do. */
const CONFLICTS = new Set(['EEXIST', 'EISDIR', 'ENOTDIR', 'ENAMETOOLONG']);

function isUnusable(error: unknown): error is Error {
  if (error instanceof GitFailure || error instanceof DamagedRepositoryError) return true;
  return CONFLICTS.has((error as NodeJS.ErrnoException).code ?? '');
}

function unusable(reason: string, cause?: unknown): InvalidFileFormat {
  return new InvalidFileFormat('unexpected-format', 'The git directory of the archive cannot be used', {
    hint: reason,
    cause,
  });
}
