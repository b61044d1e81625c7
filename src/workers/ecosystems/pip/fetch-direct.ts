import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { SourceTree } from '../../../domain/sources/source-tree.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { asHashMismatch, withDigests } from './fetch-release.ts';
import { writeGitArchive } from './git-archive.ts';
import type { PlannedGit, PlannedUrl } from './plan.ts';

/** Changes when the bytes that come out change. */
const PACKING = 'pip-git-1';
const PACKING_WITH_GIT_DIRECTORY = 'pip-git-directory-1';

/** An archive of the commit's tree, packed once for ever; with its git directory when the request asks for those. */
export async function fetchGit(context: ResolveContext, { reference }: PlannedGit): Promise<Artifact> {
  const { artifacts, git, request, signal } = context;
  const { url, commit } = reference;
  const cloned = withoutPlaceholders(url);
  const withGitDirectory = request.flags.has('include-git-dir');
  return artifacts.derive({
    key: `${withGitDirectory ? PACKING_WITH_GIT_DIRECTORY : PACKING}:${cloned}@${commit}`,
    url: cloned,
    produce: async () => {
      const tree = await git.tree(cloned, commit, { submodules: 'recursive', httpsFirst: true });
      const content = withGitDirectory
        ? archiveWithGitDirectory(context, tree, cloned, commit)
        : writeGitArchive(tree, signal);
      return { content, metadata: { treeId: tree.treeId } };
    },
  });
}

/** For projects that compute their version from tags (cachito.md 8, deviation 14). */
async function* archiveWithGitDirectory(
  { git, signal, temporaryDirectory }: ResolveContext,
  tree: SourceTree,
  url: string,
  commit: string,
): AsyncGenerator<Uint8Array> {
  const parent = await mkdtemp(join(temporaryDirectory, 'git-directory-'));
  try {
    const directory = join(parent, 'git');
    await mkdir(directory);
    await git.exportGitDirectory(url, commit, directory, { httpsFirst: true });
    yield* writeGitArchive(tree, signal, directory);
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

export async function fetchUrl(
  { artifacts }: Pick<ResolveContext, 'artifacts'>,
  { requirement, reference, insecure }: PlannedUrl,
): Promise<Artifact> {
  const { digest } = reference;
  const url = withoutPlaceholders(reference.url);
  const fileName = fileNameOf(url) ?? requirement.name;
  try {
    const artifact = await artifacts.fetch({
      key: `url:${url}#${digest.algorithm}-${digest.hex}`,
      url,
      expected: [digest],
      fileName,
      record: [digest.algorithm],
      ...(insecure ? { insecure } : {}),
    });
    return withDigests(artifact, [digest.algorithm]);
  } catch (error) {
    throw asHashMismatch(error, fileName);
  }
}

/** pip puts variables in, e.g. `https://${TOKEN}@host/…`; here the worker's own git configuration and netrc have the credentials. */
function withoutPlaceholders(url: string): string {
  return url.replace(/^([a-z+.-]+:\/\/)[^/@]*\$\{[A-Z0-9_]+\}[^/@]*@/i, '$1');
}

function fileNameOf(url: string): string | null {
  return URL.canParse(url) ? posix.basename(new URL(url).pathname) || null : null;
}
