import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { BundleRequest } from '../../domain/bundle-requests/bundle-request.ts';
import { DomainError, SubprocessCallError } from '../../domain/errors.ts';
import { readSubmodules } from '../ecosystems/git-submodule/submodules.ts';
import type { GitTrees } from '../git/git-trees.ts';
import type { FetchedSourceTree } from '../sources/fetched-source.ts';
import { type StoredDirectory, storeDirectory } from '../sources/store-directory.ts';
import type { StepContext } from './step-task.ts';

/**
 * What the flag `include-git-dir` adds to a bundle (cachito.md 3.4): the git directory of the source, and those of the
 * submodules that came with it, each in the directory of its own work tree.
 */
export async function storeGitDirectories(
  context: StepContext,
  source: FetchedSourceTree,
): Promise<StoredDirectory> {
  const { request, services, log } = context;
  if (request.uploadId !== null) {
    const { uploadId } = request;
    const stored = await store(context, '.git', (to) =>
      services.unpackUploadedGitDirectory(context, uploadId, to),
    );
    if (!stored) log.warn('the archive has no git directory');
    return stored ?? { files: [], directories: [] };
  }
  const git = services.gitTrees(context);
  const submodules = await fetchedSubmodules(request, source);
  const own = async (to: string): Promise<true> => {
    const options = { hasSubmodules: submodules.length > 0 };
    await git.exportGitDirectory(request.repository!, source.commit!, to, options);
    return true;
  };
  const directories = [await store(context, '.git', own)];
  for (const { path, url, commit } of submodules) {
    const write = (to: string): Promise<boolean> =>
      exported(git, url, commit, to).catch((cause: unknown) => {
        if (!(cause instanceof DomainError)) throw cause;
        throw new SubprocessCallError('git-failed', 'Updating the Git submodule(s) failed', {
          hint: `${path}: ${cause.hint ?? cause.message}`,
          cause,
        });
      });
    directories.push(await store(context, posix.join(path, '.git'), write));
  }
  return {
    files: directories.flatMap((one) => one?.files ?? []),
    directories: directories.flatMap((one) => one?.directories ?? []),
  };
}

async function exported(git: GitTrees, url: string, commit: string, directory: string): Promise<true> {
  // Public submodules need no key over https.
  await git.exportGitDirectory(url, commit, directory, { httpsFirst: true });
  return true;
}

async function fetchedSubmodules({ repository }: BundleRequest, { tree }: FetchedSourceTree) {
  const submodules = await readSubmodules(tree, repository);
  return submodules.filter(({ path, isFetched }) => isFetched && tree.children(path).length > 0);
}

/** Null when `write` says that there is nothing. */
async function store(
  context: StepContext,
  path: string,
  write: (directory: string) => Promise<boolean>,
): Promise<StoredDirectory | null> {
  const parent = await mkdtemp(join(context.temporaryDirectory, 'git-directory-'));
  try {
    const directory = join(parent, 'git');
    await mkdir(directory);
    if (!(await write(directory))) return null;
    return await storeDirectory(context, directory, posix.join('app', path));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}
