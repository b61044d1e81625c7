import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Git } from './git-command.ts';
import type { TagObject } from './tag-history.ts';

/** What a git directory is made of. */
export interface GitDirectoryParts {
  commit: string;
  /** A repository with the commit's whole history. */
  history: string;
  /** Tags of that history, and a repository with their objects. */
  tags: readonly TagObject[];
  tagRepository: string;
  /** Noted as the remote `origin`; null: none. */
  url: string | null;
  /** Whether git shall care for the submodules: they have git directories as well. */
  hasSubmodules: boolean;
}

/**
 * Writes a git directory into an existing empty directory: a detached head, the history of the commit with the tags in
 * it, an index of its tree (cachito.md 3.4, include-git-dir). No hook, no password and no absolute path is in it.
 * Pack files are not the same everywhere, so neither is the directory (prefetch.md 14).
 */
export async function writeGitDirectory(git: Git, parts: GitDirectoryParts, target: string): Promise<void> {
  const { commit, history, tags, url, hasSubmodules } = parts;
  for (const name of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags']) {
    await mkdir(join(target, name), { recursive: true });
  }
  const submodules = hasSubmodules ? '[submodule]\n\tactive = .\n' : '';
  const format = commit.length === 64 ? 'sha256' : 'sha1';
  await writeFile(join(target, 'config'), gitConfigText(format, url) + submodules);
  await writeFile(join(target, 'packed-refs'), packedRefs(tags));
  await writeFile(join(target, 'HEAD'), `${commit}\n`);
  const shallow = await shallowCommits(git, history, commit);
  if (shallow.length > 0) await writeFile(join(target, 'shallow'), shallow.map((id) => `${id}\n`).join(''));
  await packHistory(git, parts, join(target, 'objects', 'pack', 'pack'));
  await git.run(['read-tree', commit], { gitDirectory: target });
}

const PACKED_REFS_HEAD = '# pack-refs with: peeled fully-peeled sorted \n';

function packedRefs(tags: readonly TagObject[]): string {
  const rows = tags
    .map(({ name, objectId, commit }) => ({ ref: `refs/tags/${name}`, objectId, commit }))
    .sort((a, b) => Buffer.compare(Buffer.from(a.ref), Buffer.from(b.ref)))
    .map(({ ref, objectId, commit }) => `${objectId} ${ref}\n${objectId === commit ? '' : `^${commit}\n`}`);
  return PACKED_REFS_HEAD + rows.join('');
}

/** The configuration of a repository with a work tree; `url` becomes the remote `origin`. */
export function gitConfigText(format: 'sha1' | 'sha256', url: string | null): string {
  const version = format === 'sha1' ? 0 : 1;
  const core = `[core]\n\trepositoryformatversion = ${version}\n\tfilemode = true\n\tbare = false\n`;
  const extensions = format === 'sha1' ? '' : '[extensions]\n\tobjectformat = sha256\n';
  const remote =
    url === null
      ? ''
      : `[remote "origin"]\n\turl = "${url.replace(/[\\"]/g, '\\$&')}"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n`;
  return core + extensions + remote;
}

/** Everything that can be reached, in one pack whose name begins with `prefix`. */
async function packHistory(
  git: Git,
  { commit, history, tags, tagRepository }: GitDirectoryParts,
  prefix: string,
): Promise<void> {
  const annotated = tags.filter((tag) => tag.objectId !== tag.commit).map((tag) => tag.objectId);
  await git.run(['pack-objects', '--quiet', '--revs', '--delta-base-offset', prefix], {
    gitDirectory: history,
    // One thread: with several the result depends on which is faster.
    config: ['pack.writeReverseIndex=false', 'pack.writeBitmaps=false', 'pack.threads=1'],
    environment: { GIT_ALTERNATE_OBJECT_DIRECTORIES: JSON.stringify(join(tagRepository, 'objects')) },
    input: [commit, ...annotated].map((id) => `${id}\n`).join(''),
  });
}

/** Where a history ends because the remote has no more of it. */
async function shallowCommits(git: Git, history: string, commit: string): Promise<string[]> {
  // Of a work tree that shares its repository with others the file is in a directory for all.
  const file = await git.text(['rev-parse', '--git-path', 'shallow'], { gitDirectory: history });
  const text = await readFile(file, 'utf8').catch(() => '');
  const ends = new Set(text.split('\n').filter(Boolean));
  if (ends.size === 0) return [];
  const found: string[] = [];
  const commits = git.stream(['rev-list', '--end-of-options', commit], { gitDirectory: history });
  commits.stdin.end();
  try {
    for await (const id of createInterface({ input: commits.stdout })) if (ends.has(id)) found.push(id);
    await commits.done;
  } finally {
    commits.stop();
  }
  return found.sort();
}
