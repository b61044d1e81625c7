import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../../domain/config.ts';
import { InvalidRequestData, RepositoryAccessError } from '../../domain/errors.ts';
import { assertPublicHost } from '../downloads/address-policy.ts';
import type { StepLog } from '../ecosystems/ecosystem.ts';
import { GitFailure, type GitOptions, git, type RemoteAccess } from './git-command.ts';
import type { GitTag } from './git-trees.ts';
import { withProcessLock } from './process-lock.ts';
import { assertAllowedProtocol, cannotClone, type RepositoryUrl } from './repository-url.ts';

/**
 * Bare repositories below the data directory, one for each origin (host, port and path). A commit that is there needs no
 * network; a new one costs the difference to what is there.
 */
export class RepositoryCache {
  readonly #settings: Settings;
  readonly #log: StepLog;
  readonly #options: GitOptions;

  constructor(context: { settings: Settings; log: StepLog; signal: AbortSignal }) {
    this.#settings = context.settings;
    this.#log = context.log;
    this.#options = { settings: context.settings, signal: context.signal };
  }

  /** The directory of a repository that has the whole commit. Throws RepositoryAccessError, InvalidRequestData. */
  async withCommit(repository: RepositoryUrl, commit: string): Promise<string> {
    const directory = this.#directory(repository.origin);
    await withProcessLock(
      `${directory}.lock`,
      async () => {
        await this.#initialise(directory);
        if (await this.#hasCommit(directory, commit)) return;
        await this.#fetchCommit(directory, repository, commit);
      },
      this.#options.signal,
    );
    return directory;
  }

  /** Full commit id of a branch, tag or commit; null: the remote's HEAD. Tags win over branches, as in git. */
  async resolveRef(repository: RepositoryUrl, ref: string | null): Promise<string> {
    if (ref !== null && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(ref)) return ref;
    const remote = await this.#remote(repository);
    const names =
      ref === null ? ['HEAD'] : [ref, `refs/tags/${ref}^{}`, `refs/tags/${ref}`, `refs/heads/${ref}`];
    const output = await this.#run(['ls-remote', '--quiet', '--', repository.url, ...names], remote).catch(
      (error: unknown) => {
        throw this.#cloneFailure(repository, error);
      },
    );
    const found = new Map(
      output
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split('\t') as [string, string])
        .map(([commit, name]) => [name, commit]),
    );
    for (const name of ref === null ? names : [...names.slice(1), ref, `${ref}^{}`]) {
      const commit = found.get(name);
      if (commit) return commit;
    }
    throw unknownRef(ref ?? 'HEAD');
  }

  /** Tags that name the commit or one of its ancestors. Fetches the history without file contents where possible. */
  async reachableTags(repository: RepositoryUrl, commit: string): Promise<GitTag[]> {
    const directory = this.#directory(`${repository.origin}#history`);
    return await withProcessLock(
      `${directory}.lock`,
      async () => {
        await this.#initialise(directory);
        await this.#fetchHistory(directory, repository, commit);
        const output = await git(
          [
            'for-each-ref',
            '--merged',
            commit,
            '--format=%(refname:strip=2)%00%(objectname)%00%(*objectname)',
            'refs/tags',
          ],
          { ...this.#options, cwd: directory },
        );
        return output
          .split('\n')
          .filter(Boolean)
          .map((line) => line.split('\0'))
          .map(([name = '', object = '', peeled = '']) => ({ name, commit: peeled || object }));
      },
      this.#options.signal,
    );
  }

  #directory(origin: string): string {
    const key = createHash('sha256').update(origin).digest('hex').slice(0, 40);
    return join(this.#settings.dataDir, 'git', `${key}.git`);
  }

  /** Made aside and renamed: a half-made repository never has the name. Locks of a killed git are removed. */
  async #initialise(directory: string): Promise<void> {
    for (const lock of ['shallow.lock', 'config.lock', 'packed-refs.lock']) {
      await rm(join(directory, lock), { force: true });
    }
    if (existsSync(join(directory, 'HEAD'))) return;
    await mkdir(join(this.#settings.dataDir, 'git'), { recursive: true });
    const aside = `${directory}.${process.pid}.new`;
    await rm(aside, { recursive: true, force: true });
    await git(['init', '--quiet', '--bare', aside], this.#options);
    await rename(aside, directory);
  }

  async #hasCommit(directory: string, commit: string): Promise<boolean> {
    const args = ['rev-parse', '--quiet', '--verify', `${keepRef(commit)}^{commit}`];
    return await git(args, { ...this.#options, cwd: directory }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof GitFailure) return false;
        throw error;
      },
    );
  }

  async #fetchCommit(directory: string, repository: RepositoryUrl, commit: string): Promise<void> {
    const remote = await this.#remote(repository);
    const fetch = (...more: string[]): Promise<string> =>
      this.#run(
        ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--no-recurse-submodules', ...more],
        remote,
        directory,
      );
    this.#log.info(`git: fetching ${commit} of ${repository.origin}`);
    try {
      await fetch('--depth=1', '--', repository.url, `+${commit}:${keepRef(commit)}`);
      return;
    } catch (error) {
      if (!(error instanceof GitFailure)) throw error;
      this.#log.debug(`git: ${error.message}`);
    }
    // Servers may refuse to hand out a commit by its id: all branches and tags then, and the commit among them.
    try {
      await fetch(
        '--',
        repository.url,
        '+refs/heads/*:refs/remote/heads/*',
        '+refs/tags/*:refs/remote/tags/*',
      );
    } catch (error) {
      throw this.#cloneFailure(repository, error);
    }
    try {
      await git(['update-ref', keepRef(commit), `${commit}^{commit}`], { ...this.#options, cwd: directory });
    } catch (error) {
      if (error instanceof GitFailure) throw unknownRef(commit);
      throw error;
    }
  }

  async #fetchHistory(directory: string, repository: RepositoryUrl, commit: string): Promise<void> {
    const remote = await this.#remote(repository);
    const refs = [`+${commit}:${keepRef(commit)}`, '+refs/tags/*:refs/tags/*'];
    const fetch = (...filter: string[]): Promise<string> =>
      this.#run(
        [
          'fetch',
          '--quiet',
          '--force',
          '--no-write-fetch-head',
          '--no-auto-maintenance',
          ...filter,
          '--',
          repository.url,
          ...refs,
        ],
        remote,
        directory,
      );
    try {
      await fetch('--filter=tree:0').catch((error: unknown) => {
        if (error instanceof GitFailure && /filter/i.test(error.stderr)) return fetch();
        throw error;
      });
    } catch (error) {
      if (!(error instanceof GitFailure)) throw error;
      throw new RepositoryAccessError(
        'fetch-failed',
        `Failed to fetch the tags on the Git repository (${repository.origin})`,
        {
          details: { reason: error.stderr.trim() },
          retryable: true,
        },
      );
    }
  }

  /** Configuration that holds git to an address that was checked. Throws RepositoryAccessError for refused ones. */
  async #remote(repository: RepositoryUrl): Promise<RemoteAccess> {
    const effective = (await git(['ls-remote', '--get-url', '--', repository.url], this.#options)).trim();
    // The operator's insteadOf decides what is fetched: such a mirror may be anywhere, by any protocol.
    if (effective !== repository.url)
      return { configuration: [], protocols: ['file', 'https', 'http', 'ssh', 'git'] };
    assertAllowedProtocol(repository, this.#settings);
    const { host, scheme, port } = repository;
    if (host === null || this.#settings.allowPrivateNetworks) return UNGUARDED;
    const addresses = await assertPublicHost(host, this.#options.signal).catch((error: Error) => {
      throw cannotClone(repository.url, error.message, error);
    });
    if (scheme !== 'http' && scheme !== 'https') return UNGUARDED;
    const pinned = addresses
      .map(({ address }) => (address.includes(':') ? `[${address}]` : address))
      .join(',');
    const number = port ?? (scheme === 'https' ? '443' : '80');
    return {
      configuration: [`http.curloptResolve=${host}:${number}:${pinned}`, 'http.followRedirects=false'],
      protocols: [],
    };
  }

  #run(args: readonly string[], remote: RemoteAccess, cwd?: string): Promise<string> {
    return git(args, { ...this.#options, remote, ...(cwd !== undefined && { cwd }) });
  }

  #cloneFailure(repository: RepositoryUrl, error: unknown): unknown {
    if (!(error instanceof GitFailure)) return error;
    this.#log.warn(`git: ${error.stderr.trim()}`);
    return cannotClone(repository.url, error.stderr.trim().split('\n').at(-1) ?? '', error);
  }
}

const UNGUARDED: RemoteAccess = { configuration: [], protocols: [] };

/** Keeps the commit's objects from ever being garbage. */
function keepRef(commit: string): string {
  return `refs/stowage/${commit}`;
}

export function unknownRef(ref: string): InvalidRequestData {
  return new InvalidRequestData(
    'bad-revision',
    `Checking out the Git repository failed. Please verify the supplied reference of "${ref}" is valid.`,
    { details: { ref } },
  );
}
