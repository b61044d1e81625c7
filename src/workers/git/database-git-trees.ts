import { posix } from 'node:path';
import type { Settings } from '../../domain/config.ts';
import { recordBlobs } from '../../domain/database/sql/record-blobs.ts';
import { findTags, insertTags } from '../../domain/database/sql/repository-tags.ts';
import { findSnapshot, insertSnapshot } from '../../domain/database/sql/source-snapshots.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import { RepositoryAccessError } from '../../domain/errors.ts';
import { openSnapshot, writeSnapshot } from '../../domain/sources/source-snapshot.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';
import type { BlobStore, Digest } from '../../domain/storage/blob-store.ts';
import type { StepLog } from '../ecosystems/ecosystem.ts';
import { type GitOptions, git } from './git-command.ts';
import type { GitTag, GitTrees } from './git-trees.ts';
import { type ListedTree, listTree, readCommit, readTrees, submoduleUrls } from './read-tree.ts';
import { RepositoryCache } from './repository-cache.ts';
import { parseRepositoryUrl, type RepositoryUrl } from './repository-url.ts';

export interface GitTreesContext {
  sql: SqlExecutor;
  blobs: BlobStore;
  settings: Settings;
  log: StepLog;
  signal: AbortSignal;
}

/** Submodules of submodules of …: as deep as anybody has them, and no loop. */
const DEEPEST_SUBMODULE = 8;

/** Trees by repository and commit, kept as snapshots in the blob store: a known one needs neither network nor git. */
export class DatabaseGitTrees implements GitTrees {
  readonly #context: GitTreesContext;
  readonly #cache: RepositoryCache;
  readonly #options: GitOptions;

  constructor(context: GitTreesContext) {
    this.#context = context;
    this.#cache = new RepositoryCache(context);
    this.#options = { settings: context.settings, signal: context.signal };
  }

  async tree(
    url: string,
    commit: string,
    options: { submodules?: 'none' | 'recursive'; httpsFirst?: boolean } = {},
  ): Promise<SourceTree> {
    const snapshot = await this.snapshot(url, commit, options);
    return await openSnapshot(this.#context.blobs, snapshot);
  }

  /** Like {@link tree}, but only the name of the snapshot. */
  async snapshot(
    url: string,
    commit: string,
    options: { submodules?: 'none' | 'recursive'; httpsFirst?: boolean } = {},
  ): Promise<Digest> {
    const { sql, blobs } = this.#context;
    const repository = parseRepositoryUrl(url);
    const submodules = options.submodules === 'recursive';
    const known = await findSnapshot(sql, repository.origin, commit, submodules);
    if (known && (await blobs.size(known)) !== null) return known;
    return await this.#read(repository, commit, submodules, options.httpsFirst ?? false);
  }

  async resolveRef(url: string, ref: string | null): Promise<string> {
    return await this.#cache.resolveRef(parseRepositoryUrl(url), ref);
  }

  async reachableTags(url: string, commit: string): Promise<GitTag[]> {
    const { sql } = this.#context;
    const repository = parseRepositoryUrl(url);
    const known = await findTags(sql, repository.origin, commit);
    if (known) return known;
    const tags = await this.#cache.reachableTags(repository, commit);
    await insertTags(sql, repository.origin, commit, tags);
    return tags;
  }

  async #read(
    repository: RepositoryUrl,
    commit: string,
    submodules: boolean,
    httpsFirst: boolean,
  ): Promise<Digest> {
    const { sql, blobs, settings, log, signal } = this.#context;
    const { directory, used } = await this.#fetch(repository, commit, httpsFirst);
    const { treeId, time } = await readCommit(directory, commit, this.#options);
    const pointers: string[] = [];
    const trees = submodules
      ? await this.#listWithSubmodules(directory, commit, used.url, '', 0)
      : [await listTree(directory, commit, '', this.#options)];
    const entries = readTrees(trees, this.#options, (path) => pointers.push(path));
    // With submodules in it the tree is no longer the commit's own.
    const info = { commit, time, treeId: submodules ? null : treeId };
    const written = await writeSnapshot(blobs, info, entries, settings.limits, signal);
    if (pointers.length > 0) {
      log.warn(
        `git: these files are Git LFS pointers, their contents are not fetched: ${pointers.join(', ')}`,
      );
    }
    await recordBlobs(sql, written.blobs);
    await insertSnapshot(sql, {
      origin: repository.origin,
      commit,
      submodules,
      treeId: written.treeId,
      time,
      index: written.snapshot,
      pack: written.pack,
      size: written.size,
      files: written.files,
    });
    return written.snapshot;
  }

  /** ssh URLs of lock files mostly name public repositories: https first needs no key. */
  async #fetch(
    repository: RepositoryUrl,
    commit: string,
    httpsFirst: boolean,
  ): Promise<{ directory: string; used: RepositoryUrl }> {
    if (httpsFirst && (repository.scheme === 'ssh' || repository.scheme === 'git')) {
      const https = parseRepositoryUrl(`https://${repository.origin}.git`);
      const first = await this.#cache.withCommit(https, commit).catch((error: unknown) => {
        if (error instanceof RepositoryAccessError) return null;
        throw error;
      });
      if (first !== null) return { directory: first, used: https };
    }
    return { directory: await this.#cache.withCommit(repository, commit), used: repository };
  }

  async #listWithSubmodules(
    directory: string,
    commit: string,
    url: string,
    prefix: string,
    depth: number,
  ): Promise<ListedTree[]> {
    const own = await listTree(directory, commit, prefix, this.#options);
    const links = own.entries.filter((entry) => entry.mode === '160000');
    if (links.length === 0) return [own];
    const gitmodules = await git(['show', `${commit}:.gitmodules`], {
      ...this.#options,
      cwd: directory,
    }).catch(() => '');
    const urls = submoduleUrls(gitmodules, url);
    const trees: ListedTree[] = [
      { directory, entries: own.entries.filter((entry) => entry.mode !== '160000') },
    ];
    for (const link of links) {
      const submodule = urls.get(posix.relative(prefix, link.path));
      if (submodule === undefined || depth >= DEEPEST_SUBMODULE) {
        throw new RepositoryAccessError('git-failed', 'Updating the Git submodule(s) failed', {
          details: { path: link.path, reason: submodule ? 'too deep' : 'no URL in .gitmodules' },
        });
      }
      const fetched = await this.#fetch(parseRepositoryUrl(submodule), link.id, true);
      const below = await this.#listWithSubmodules(
        fetched.directory,
        link.id,
        fetched.used.url,
        link.path,
        depth + 1,
      );
      trees.push(...below);
    }
    return trees;
  }
}
