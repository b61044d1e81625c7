import { mkdir, rm } from 'node:fs/promises';
import { findTags, insertTags } from '../../domain/database/sql/repository-tags.ts';
import {
  findSnapshot,
  insertSnapshot,
  type SubmoduleDepth,
} from '../../domain/database/sql/source-snapshots.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import { DomainError, RepositoryAccessError, SubprocessCallError } from '../../domain/errors.ts';
import { withoutCredentials } from '../../domain/sources/public-url.ts';
import { openSnapshot, type WrittenSnapshot, writeSnapshot } from '../../domain/sources/source-snapshot.ts';
import type { SourceTree } from '../../domain/sources/source-tree.ts';
import type { BlobStore, Digest } from '../../domain/storage/blob-store.ts';
import { damagedBlobs } from '../../domain/storage/damaged-blobs.ts';
import { indexPack, packCommit } from './commit-pack.ts';
import { unknownRef } from './fetch-failure.ts';
import { allowedProtocols, GitFailure } from './git-command.ts';
import { writeGitDirectory } from './git-directory.ts';
import {
  type GitModule,
  GitModulesSyntaxError,
  MAX_GIT_MODULES_BYTES,
  parseGitModules,
} from './git-modules.ts';
import type { GitTag, GitTrees } from './git-trees.ts';
import { DamagedRepositoryError } from './object-reader.ts';
import { type CommitFacts, listTree, readRows, type TreeRow } from './read-tree.ts';
import { RepositoryCache, type RepositoryCacheContext } from './repository-cache.ts';
import { overHttps, parseRepositoryUrl, type RepositoryUrl, resolveSubmoduleUrl } from './repository-url.ts';
import { readReachableTags } from './tag-history.ts';

export interface GitTreesContext extends RepositoryCacheContext {
  sql: SqlExecutor;
  blobs: BlobStore;
}

type TreeOptions = NonNullable<Parameters<GitTrees['tree']>[2]>;

/** Submodules of submodules of …: as deep as anybody has them. */
const MAX_DEPTH = 8;
const MAX_SUBMODULES = 500;

/** Trees by repository and commit, kept as snapshots in the blob store: a known one needs neither network nor git. */
export class DatabaseGitTrees implements GitTrees {
  readonly #context: GitTreesContext;
  readonly #cache: RepositoryCache;

  constructor(context: GitTreesContext) {
    this.#context = context;
    this.#cache = new RepositoryCache(context);
  }

  async tree(url: string, commit: string, options: TreeOptions = {}): Promise<SourceTree> {
    return openSnapshot(this.#context.blobs, await this.snapshot(url, commit, options));
  }

  /** Like {@link tree}, but only the name of the snapshot. */
  async snapshot(url: string, commit: string, options: TreeOptions = {}): Promise<Digest> {
    const { sql, blobs, log, signal } = this.#context;
    const repository = this.#parse(url, options.httpsFirst);
    const submodules = options.submodules ?? 'none';
    const known = await findSnapshot(sql, repository.origin, commit, submodules);
    const damaged = known ? await damagedBlobs(blobs, [known.index, known.pack], signal) : [];
    if (known && damaged.length === 0) return known.index;
    if (known)
      log.warn(`git: the stored tree of ${repository.origin} at ${commit} is damaged and is made again`);

    const source = await this.#chooseRemote(repository, commit, options.httpsFirst ?? false);
    const read = (): Promise<{ facts: CommitFacts; written: WrittenSnapshot }> =>
      this.#read(source, commit, submodules, damaged);
    const { facts, written } = await read()
      .catch(async (error: unknown) => {
        if (!(error instanceof DamagedRepositoryError)) throw error;
        log.warn(
          `git: the cached repository ${repository.origin} is damaged and is fetched again: ${error.message}`,
        );
        await this.#cache.discard(source, commit);
        return read();
      })
      .catch((error: unknown) => {
        if (error instanceof GitFailure) throw unexpected(error);
        throw error instanceof DamagedRepositoryError ? broken(error) : error;
      });
    await insertSnapshot(
      sql,
      {
        origin: repository.origin,
        commit,
        submodules,
        treeId: written.treeId,
        time: facts.time,
        index: written.snapshot,
        pack: written.pack,
        size: written.size,
        files: written.files,
      },
      written.blobs,
    );
    return written.snapshot;
  }

  /** Names are read as by `git fetch`: tags come before branches. Full names (`refs/heads/x`) work too. */
  async resolveRef(url: string, ref: string | null): Promise<string> {
    if (ref !== null && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(ref)) return ref.toLowerCase();
    const repository = this.#parse(url);
    const names = ref === null ? ['HEAD'] : namesOf(ref);
    if (names.length === 0) throw unknownRef(ref!);
    const refs = await this.#cache.remoteRefs(repository, names);
    const id = names.map((name) => refs.get(name)).find((found) => found !== undefined);
    if (id !== undefined) return id;
    const known = /^[0-9a-f]{7,39}$/.test(ref ?? '') ? await this.#cache.knownCommit(repository, ref!) : null;
    if (known === null) throw unknownRef(ref ?? 'HEAD');
    return known;
  }

  async reachableTags(url: string, commit: string): Promise<GitTag[]> {
    const { sql } = this.#context;
    const repository = this.#parse(url);
    const known = await findTags(sql, repository.origin, commit);
    if (known) return known;
    const directory = await this.#cache.withHistory(repository, commit);
    const found = await readReachableTags(this.#cache.git, directory, commit);
    const tags = found.map(({ name, commit }): GitTag => ({ name, commit }));
    await insertTags(sql, repository.origin, commit, tags);
    return tags;
  }

  async exportGitDirectory(
    url: string,
    commit: string,
    directory: string,
    { httpsFirst = false, hasSubmodules = false }: { httpsFirst?: boolean; hasSubmodules?: boolean } = {},
  ): Promise<void> {
    const repository = await this.#chooseRemote(this.#parse(url, httpsFirst), commit, httpsFirst);
    const write = (): Promise<void> => this.#writeGitDirectory(repository, commit, directory, hasSubmodules);
    await write()
      .catch(async (error: unknown) => {
        if (!(error instanceof GitFailure || error instanceof DamagedRepositoryError)) throw error;
        const { log } = this.#context;
        log.warn(
          `git: the cached history of ${repository.origin} is damaged and is fetched again: ${error.message}`,
        );
        await this.#cache.discardHistory(repository, commit);
        await rm(directory, { recursive: true });
        await mkdir(directory);
        return write();
      })
      .catch((error: unknown) => {
        throw error instanceof GitFailure || error instanceof DamagedRepositoryError ? broken(error) : error;
      });
  }

  async #writeGitDirectory(
    repository: RepositoryUrl,
    commit: string,
    directory: string,
    hasSubmodules: boolean,
  ): Promise<void> {
    const { git } = this.#cache;
    const repositories = await this.#cache.withFullHistory(repository, commit);
    const tags = await readReachableTags(git, repositories.tagRepository, commit);
    const url = repository.protocol === 'file' ? null : withoutCredentials(repository.text);
    await writeGitDirectory(git, { ...repositories, commit, tags, url, hasSubmodules }, directory);
  }

  async packCommit(url: string, commit: string, file: string): Promise<void> {
    const repository = this.#parse(url);
    const { git } = this.#cache;
    const pack = async (): Promise<void> => {
      const { directory } = await this.#cache.withCommit(repository, commit);
      await packCommit(git, directory, commit, file);
    };
    await pack()
      .catch(async (error: unknown) => {
        if (!(error instanceof GitFailure)) throw error;
        this.#context.log.warn(
          `git: the cached repository ${repository.origin} is damaged and is fetched again: ${error.message}`,
        );
        await this.#cache.discard(repository, commit);
        return pack();
      })
      .catch((error: unknown) => {
        throw error instanceof GitFailure ? broken(error) : error;
      });
  }

  async indexPack(pack: string, index: string): Promise<void> {
    await indexPack(this.#cache.git, pack, index);
  }

  /** Of an `ssh` URL that is tried over https first, only that is left where ssh is not allowed. */
  #parse(url: string, httpsFirst = false): RepositoryUrl {
    const { settings } = this.#context;
    const allowed = allowedProtocols(settings);
    if (httpsFirst && allowed.includes('https') && !allowed.includes('ssh')) {
      const parsed = parseRepositoryUrl(url, { ...settings, gitAllowedProtocols: [...allowed, 'ssh'] });
      const https = overHttps(parsed);
      if (https !== null) return parseRepositoryUrl(https, settings);
    }
    return parseRepositoryUrl(url, settings);
  }

  /** ssh URLs of lock files mostly name public repositories, which need no key over https. */
  async #chooseRemote(
    repository: RepositoryUrl,
    commit: string,
    httpsFirst: boolean,
  ): Promise<RepositoryUrl> {
    const { settings, log } = this.#context;
    const https = httpsFirst && allowedProtocols(settings).includes('https') ? overHttps(repository) : null;
    if (https === null) return repository;
    const url = this.#parse(https);
    try {
      await this.#cache.withCommit(url, commit);
      return url;
    } catch (error) {
      if (!(error instanceof RepositoryAccessError)) throw error;
      log.info(`git: ${https} cannot be used, trying ssh`);
      return repository;
    }
  }

  /** Blobs that are damaged make way as soon as all objects are there: they would be taken for what is written. */
  async #read(url: RepositoryUrl, commit: string, submodules: SubmoduleDepth, damaged: readonly Digest[]) {
    const { blobs, settings, signal } = this.#context;
    const { facts, rows } = await this.#list(url, commit);
    if (submodules !== 'none') {
      await this.#addSubmodules(url, [...rows], { prefix: '', depth: 0, all: rows, submodules });
    }
    for (const digest of damaged) await blobs.delete(digest);
    const entries = readRows(this.#cache.git, rows);
    const written = await writeSnapshot(blobs, facts, entries, settings.limits, signal);
    return { facts, written };
  }

  async #list(url: RepositoryUrl, commit: string): Promise<{ facts: CommitFacts; rows: TreeRow[] }> {
    const { git } = this.#cache;
    const { directory, facts } = await this.#cache.withCommit(url, commit);
    return { facts, rows: await listTree(git, directory, facts.treeId) };
  }

  /** Adds the rows of submodules (and of theirs, when that is asked for) below their paths. */
  async #addSubmodules(
    parent: RepositoryUrl,
    rows: readonly TreeRow[],
    into: { prefix: string; depth: number; all: TreeRow[]; submodules: SubmoduleDepth },
  ): Promise<void> {
    const links = rows.filter((row) => row.mode === '160000');
    if (links.length === 0) return;
    const modules = await this.#modulesOf(rows, into.prefix);
    for (const link of links) {
      const path = into.prefix + link.path;
      const fail = (reason: string, cause?: unknown): SubprocessCallError =>
        submoduleFailure(path, reason, cause);
      const module = modules.get(link.path);
      if (module === undefined) throw fail('.gitmodules has no URL for it');
      if (!module.isFetched) continue;
      if (into.depth >= MAX_DEPTH) throw fail(`submodules lie more than ${MAX_DEPTH} levels deep`);
      if (into.all.filter((row) => row.mode === '160000').length > MAX_SUBMODULES)
        throw fail('too many submodules');
      let remote: RepositoryUrl;
      let listed: { facts: CommitFacts; rows: TreeRow[] };
      try {
        remote = this.#parse(resolveSubmoduleUrl(parent.text, module.url), true);
        if (remote.protocol === 'file' && parent.protocol !== 'file') throw fail('its URL is a local path');
        remote = await this.#chooseRemote(remote, link.objectId, true);
        listed = await this.#list(remote, link.objectId);
      } catch (error) {
        if (!(error instanceof DomainError) || error instanceof SubprocessCallError) throw error;
        throw fail(error.hint ?? error.message, error);
      }
      for (const row of listed.rows) into.all.push({ ...row, path: `${path}/${row.path}` });
      if (into.submodules !== 'recursive') continue;
      await this.#addSubmodules(remote, listed.rows, {
        ...into,
        prefix: `${path}/`,
        depth: into.depth + 1,
      });
    }
  }

  /** What `.gitmodules` says, by path. */
  async #modulesOf(rows: readonly TreeRow[], prefix: string): Promise<Map<string, GitModule>> {
    const row = rows.find(({ path, mode }) => path === '.gitmodules' && mode.startsWith('100'));
    if (!row) return new Map();
    const path = `${prefix}.gitmodules`;
    if (row.size > MAX_GIT_MODULES_BYTES) throw submoduleFailure(path, 'it is too large');
    const { gitDirectory, objectId } = row;
    const args = ['cat-file', 'blob', objectId];
    const text = await this.#cache.git.text(args, { gitDirectory }).catch((error: unknown) => {
      throw error instanceof GitFailure ? new DamagedRepositoryError(error.message, { cause: error }) : error;
    });
    try {
      return new Map(parseGitModules(text).map((module) => [module.path, module]));
    } catch (error) {
      if (!(error instanceof GitModulesSyntaxError)) throw error;
      throw submoduleFailure(path, error.message, error);
    }
  }
}

/** What the user may mean, the likeliest first; none when it cannot be a name. */
function namesOf(ref: string): string[] {
  if (ref === '' || ref.startsWith('-') || /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/$|\.lock$/.test(ref))
    return [];
  if (ref === 'HEAD') return ['HEAD'];
  const tag = ref.startsWith('refs/') ? [`${ref}^{}`, ref] : [];
  return [...tag, `refs/tags/${ref}^{}`, `refs/tags/${ref}`, `refs/heads/${ref}`];
}

function submoduleFailure(path: string, reason: string, cause?: unknown): SubprocessCallError {
  return new SubprocessCallError('git-failed', 'Updating the Git submodule(s) failed', {
    details: { path, reason },
    hint: `${path}: ${reason}`,
    cause,
  });
}

/** A command of which the contract says nothing else (cachito.md 4.2). */
function unexpected(error: GitFailure): SubprocessCallError {
  return new SubprocessCallError('git-failed', 'An unexpected error occurred', {
    hint: error.message,
    cause: error,
  });
}

function broken(error: DamagedRepositoryError | GitFailure): RepositoryAccessError {
  return new RepositoryAccessError('git-failed', 'Failed to fetch from the remote Git repository', {
    details: { reason: error.message },
    hint: `The repository lacks objects or is damaged: ${error.message}`,
    cause: error,
  });
}
