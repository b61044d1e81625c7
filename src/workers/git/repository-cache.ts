import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Settings } from '../../domain/config.ts';
import type { StepLog } from '../ecosystems/ecosystem.ts';
import {
  fetchFailure,
  isRedirect,
  isTransient,
  lastWords,
  leftLock,
  refusesFilter,
  refusesSingleCommits,
  saysDamaged,
  saysUnknownCommit,
  unknownRef,
} from './fetch-failure.ts';
import { followRedirect } from './follow-redirect.ts';
import { Git, GitFailure } from './git-command.ts';
import { DamagedRepositoryError } from './object-reader.ts';
import { type CommitFacts, readCommit } from './read-tree.ts';
import { accessTo } from './remote-access.ts';
import { withRepositoryLock } from './repository-lock.ts';
import type { RepositoryUrl } from './repository-url.ts';

/** A commit that is in the cache, and where. */
export interface CachedCommit {
  directory: string;
  facts: CommitFacts;
}

export interface RepositoryCacheContext {
  settings: Settings;
  log: StepLog;
  signal: AbortSignal;
  /** Pauses between tries when the network fails, milliseconds. */
  retryDelays?: readonly number[];
}

/**
 * Bare repositories below the data directory, one for each origin (host, port and path). A commit that is there needs no
 * network; a new one costs the difference to what is there. Histories, which only tags need, have repositories of their
 * own, without file contents where the server can leave them out.
 */
export class RepositoryCache {
  readonly git: Git;
  readonly #log: StepLog;
  readonly #retryDelays: readonly number[];

  constructor({ settings, log, signal, retryDelays = [1000, 4000] }: RepositoryCacheContext) {
    this.git = new Git(settings, signal);
    this.#log = log;
    this.#retryDelays = retryDelays;
  }

  /**
   * A repository that has the commit with its whole tree. Throws RepositoryAccessError, and InvalidRequestData when the
   * remote does not have the commit.
   */
  async withCommit(url: RepositoryUrl, commit: string): Promise<CachedCommit> {
    const directory = this.#directory(url, commit, '');
    const known = await this.#find(directory, commit);
    if (known) return known;
    return this.#locked(directory, async () => {
      const fetched = await this.#find(directory, commit);
      if (fetched) return fetched;
      await this.#initialise(directory, commit);
      return this.#fetchCommit(directory, url, commit);
    });
  }

  /** The directory of a repository that has the commit's history and all tags, current as of this call. */
  async withHistory(url: RepositoryUrl, commit: string): Promise<string> {
    const directory = this.#directory(url, commit, '.history');
    return this.#locked(directory, async () => {
      await this.#initialise(directory, commit);
      const one = `+${commit}:${keepRef(commit)}`;
      await this.#fetchHistory(directory, url, [one, ALL_TAGS]).catch(async (error: unknown) => {
        if (!(error instanceof GitFailure)) throw error;
        if (!refusesSingleCommits(error) && !saysUnknownCommit(error)) throw error;
        await this.#fetchHistory(directory, url, [ALL_BRANCHES, ALL_TAGS]);
        await this.#keep(directory, commit);
      });
      return directory;
    }).catch((error: unknown) => {
      throw error instanceof GitFailure ? this.#failure(url, error, false) : error;
    });
  }

  /**
   * Repositories that have the commit's history with all contents, and all tags of it: tags are kept apart, because most
   * of a remote's are no part of this history.
   */
  async withFullHistory(
    url: RepositoryUrl,
    commit: string,
  ): Promise<{ history: string; tagRepository: string }> {
    const history = this.#directory(url, commit, '.full');
    const tagRepository = this.#directory(url, commit, '.history');
    if ((await this.#find(history, commit)) && (await this.#find(tagRepository, commit))) {
      return { history, tagRepository };
    }
    await this.#locked(history, async () => {
      if (await this.#find(history, commit)) return;
      await this.#initialise(history, commit);
      const isFirst = !hasRefs(history);
      this.#log.info(`git: fetching the history of ${commit} of ${url.origin}`);
      try {
        await this.#fetch(history, url, [], [`+${commit}:${keepRef(commit)}`]);
      } catch (error) {
        if (!(error instanceof GitFailure)) throw error;
        if (!saysUnknownCommit(error) && !refusesSingleCommits(error))
          throw this.#failure(url, error, isFirst);
        await this.#fetchEverything(history, url, commit, isFirst);
      }
    });
    return { history, tagRepository: await this.withHistory(url, commit) };
  }

  /** Forgets what is there: it turned out to be damaged. */
  async discard(url: RepositoryUrl, commit: string): Promise<void> {
    await this.#discard(this.#directory(url, commit, ''));
  }

  async discardHistory(url: RepositoryUrl, commit: string): Promise<void> {
    for (const kind of ['.full', '.history'] as const)
      await this.#discard(this.#directory(url, commit, kind));
  }

  /** Rows of `git ls-remote` by name, for the names or patterns given. */
  async remoteRefs(url: RepositoryUrl, patterns: readonly string[]): Promise<Map<string, string>> {
    const output = await this.#remoteCommand(url, null, (remote) => [
      'ls-remote',
      '--quiet',
      '--',
      remote,
      ...patterns,
    ]).catch((error: unknown) => {
      throw error instanceof GitFailure ? this.#failure(url, error, true) : error;
    });
    const rows = output.split('\n').map((line) => line.split('\t'));
    return new Map(rows.flatMap(([id, name]) => (id && name ? [[name, id] as const] : [])));
  }

  /** Full id of a commit that is in the cache, from the first digits of it; null when it is not. */
  async knownCommit(url: RepositoryUrl, abbreviation: string): Promise<string | null> {
    const directory = this.#directory(url, abbreviation, '');
    if (!existsSync(directory)) return null;
    return this.#verify(directory, `${abbreviation}^{commit}`);
  }

  async #fetchCommit(directory: string, url: RepositoryUrl, commit: string): Promise<CachedCommit> {
    const isFirst = !hasRefs(directory);
    this.#log.info(`git: fetching ${commit} of ${url.origin}`);
    try {
      await this.#fetch(directory, url, ['--depth=1'], [`+${commit}:${keepRef(commit)}`]);
    } catch (error) {
      if (!(error instanceof GitFailure)) throw error;
      const unknown = saysUnknownCommit(error);
      if (!unknown && !refusesSingleCommits(error)) throw this.#failure(url, error, isFirst);
      this.#log.info(`git: the server does not give the commit by its id (${lastWords(error)})`);
      // Without contents this is cheap: most often the commit is just not there.
      if (unknown) await this.withHistory(url, commit);
      await this.#fetchEverything(directory, url, commit, isFirst);
    }
    const found = await this.#find(directory, commit);
    if (!found) throw unknownRef(commit);
    return found;
  }

  /** For servers that hand out branches and tags only. */
  async #fetchEverything(
    directory: string,
    url: RepositoryUrl,
    commit: string,
    isFirst: boolean,
  ): Promise<void> {
    const depth = existsSync(join(directory, 'shallow')) ? ['--unshallow'] : [];
    try {
      await this.#fetch(directory, url, depth, [ALL_BRANCHES, ALL_TAGS]);
    } catch (error) {
      throw error instanceof GitFailure ? this.#failure(url, error, isFirst) : error;
    }
    await this.#keep(directory, commit);
  }

  async #fetchHistory(directory: string, url: RepositoryUrl, refs: readonly string[]): Promise<void> {
    for (const filter of ['tree:0', 'blob:none']) {
      try {
        return await this.#fetch(directory, url, [`--filter=${filter}`], refs);
      } catch (error) {
        if (!(error instanceof GitFailure && refusesFilter(error))) throw error;
      }
    }
    await this.#fetch(directory, url, [], refs);
  }

  async #fetch(
    directory: string,
    url: RepositoryUrl,
    options: readonly string[],
    refs: readonly string[],
  ): Promise<void> {
    await this.#remoteCommand(url, directory, (remote) => [
      // The remote has a name only for this command, so that no URL (which may hold a password) is written down.
      '-c',
      `remote.upstream.url=${remote}`,
      'fetch',
      '--quiet',
      '--no-tags',
      '--no-write-fetch-head',
      '--no-recurse-submodules',
      '--update-shallow',
      ...options,
      'upstream',
      ...refs,
    ]);
  }

  /** Runs a command that talks to the remote, again when the network fails. */
  async #remoteCommand(
    url: RepositoryUrl,
    directory: string | null,
    command: (remote: string) => string[],
  ): Promise<string> {
    let access = await accessTo(this.git, url);
    let redirected = false;
    let unlocked = false;
    for (let attempt = 0; ; ) {
      try {
        const options = { ...access.options, ...(directory === null ? {} : { gitDirectory: directory }) };
        return await this.git.text(command(access.url), options);
      } catch (error) {
        if (!(error instanceof GitFailure)) throw error;
        if (access.guarded && !redirected && isRedirect(error)) {
          redirected = true;
          access = await followRedirect(this.git, url);
        } else if (directory !== null && !unlocked && leftLock(error)) {
          unlocked = true;
          for (const name of GIT_LOCKS) await rm(join(directory, name), { force: true });
        } else if (isTransient(error) && attempt < this.#retryDelays.length) {
          const delay = this.#retryDelays[attempt]!;
          attempt += 1;
          this.#log.warn(`git: ${lastWords(error)}; trying again in ${delay / 1000} s`);
          await wait(delay, undefined, { signal: this.git.signal });
        } else throw error;
      }
    }
  }

  /** Made aside and renamed: a half-made repository never has the name. */
  async #initialise(directory: string, commit: string): Promise<void> {
    if (existsSync(join(directory, 'HEAD'))) return;
    const aside = `${directory}.new-${process.pid}`;
    await rm(aside, { recursive: true, force: true });
    await makeBareRepository(aside, commit.length === 64 ? 'sha256' : 'sha1');
    await rm(directory, { recursive: true, force: true });
    await rename(aside, directory);
  }

  #directory({ origin }: RepositoryUrl, commit: string, kind: '' | '.history' | '.full'): string {
    const key = createHash('sha256').update(origin).digest('hex').slice(0, 40);
    const format = commit.length === 64 ? '.sha256' : '';
    return join(this.git.settings.dataDir, 'git', `${key}${kind}${format}.git`);
  }

  async #discard(directory: string): Promise<void> {
    await this.#locked(directory, async () => {
      const aside = `${directory}.damaged-${process.pid}`;
      await rename(directory, aside).catch(() => undefined);
      await rm(aside, { recursive: true, force: true });
    });
  }

  async #locked<T>(directory: string, work: () => Promise<T>): Promise<T> {
    await mkdir(join(this.git.settings.dataDir, 'git'), { recursive: true });
    return withRepositoryLock(`${directory}.lock`, this.git.signal, work);
  }

  async #find(directory: string, commit: string): Promise<CachedCommit | null> {
    if (!hasRefs(directory)) return null;
    const facts = await readCommit(this.git, directory, keepRef(commit)).catch((error: unknown) => {
      if (error instanceof DamagedRepositoryError) return null;
      throw error;
    });
    return facts && { directory, facts };
  }

  /** Keeps the objects of a commit that came with others from being garbage. */
  async #keep(directory: string, commit: string): Promise<void> {
    if ((await this.#verify(directory, `${commit}^{commit}`)) === null) throw unknownRef(commit);
    await this.git.run(['update-ref', keepRef(commit), commit], { gitDirectory: directory });
  }

  async #verify(directory: string, revision: string): Promise<string | null> {
    const args = ['rev-parse', '--quiet', '--verify', '--end-of-options', revision];
    return this.git.text(args, { gitDirectory: directory }).catch((error: unknown) => {
      if (error instanceof GitFailure) return null;
      throw error;
    });
  }

  #failure(url: RepositoryUrl, error: GitFailure, isFirst: boolean): Error {
    this.#log.warn(`git: ${url.origin}: ${lastWords(error)}`);
    if (!isFirst && saysDamaged(error)) return new DamagedRepositoryError(error.message, { cause: error });
    return fetchFailure(url, error, isFirst);
  }
}

const ALL_BRANCHES = '+refs/heads/*:refs/remote/heads/*';
const ALL_TAGS = '+refs/tags/*:refs/tags/*';
const GIT_LOCKS = ['shallow.lock', 'config.lock', 'packed-refs.lock', 'HEAD.lock'];

/** What `git init --bare` makes (gitrepository-layout), without a process for it. */
async function makeBareRepository(directory: string, format: 'sha1' | 'sha256'): Promise<void> {
  for (const name of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags']) {
    await mkdir(join(directory, name), { recursive: true });
  }
  const version = format === 'sha1' ? 0 : 1;
  const extensions = format === 'sha1' ? '' : '[extensions]\n\tobjectformat = sha256\n';
  await writeFile(
    join(directory, 'config'),
    `[core]\n\trepositoryformatversion = ${version}\n\tfilemode = true\n\tbare = true\n${extensions}`,
  );
  await writeFile(join(directory, 'HEAD'), 'ref: refs/heads/main\n');
}

/** Whether something was ever fetched into the repository. */
function hasRefs(directory: string): boolean {
  return ['refs/stowage', 'packed-refs'].some((name) => existsSync(join(directory, name)));
}

function keepRef(commit: string): string {
  return `refs/stowage/${commit}`;
}
