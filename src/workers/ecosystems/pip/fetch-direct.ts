import { posix } from 'node:path';
import type { Artifact } from '../../downloads/artifact-store.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { asHashMismatch, withDigests } from './fetch-release.ts';
import { writeGitArchive } from './git-archive.ts';
import type { PlannedGit, PlannedUrl } from './plan.ts';

/** Changes when the bytes that come out change. */
const PACKING = 'pip-git-1';

/** An archive of the commit's tree, packed once for ever. */
export async function fetchGit(
  { artifacts, git, signal }: Pick<ResolveContext, 'artifacts' | 'git' | 'signal'>,
  { reference }: PlannedGit,
): Promise<Artifact> {
  const { url, commit } = reference;
  const cloned = withoutPlaceholders(url);
  return artifacts.derive({
    key: `${PACKING}:${cloned}@${commit}`,
    url: cloned,
    produce: async () => {
      const tree = await git.tree(cloned, commit, { submodules: 'recursive', httpsFirst: true });
      return { content: writeGitArchive(tree, signal), metadata: { treeId: tree.treeId } };
    },
  });
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
