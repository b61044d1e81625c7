import type { SubmoduleDepth } from '../../domain/database/sql/source-snapshots.ts';
import type { Flag } from '../../domain/packages/package.ts';
import { inSpan } from '../../domain/tracing/span.ts';
import type { DatabaseGitTrees } from '../git/database-git-trees.ts';
import { parseRepositoryUrl } from '../git/repository-url.ts';
import type { FetchedSourceTree } from './fetched-source.ts';
import { type SourceContext, safeSource } from './safe-source.ts';

export type { FetchedSourceTree } from './fetched-source.ts';

export interface GitSource {
  repository: string;
  /** Branch, tag or commit; null: the remote's HEAD. */
  ref: string | null;
  flags: readonly Flag[];
  submodules: SubmoduleDepth;
}

/** The tree of a commit, its ref resolved once (cachito.md 4.2). */
export async function fetchGitSource(
  { repository, ref, flags, submodules }: GitSource,
  context: SourceContext & { git: DatabaseGitTrees },
): Promise<FetchedSourceTree> {
  const commit = await inSpan('resolve ref', {}, () => context.git.resolveRef(repository, ref));
  const snapshot = await inSpan('fetch commit', {}, () =>
    context.git.snapshot(repository, commit, { submodules }),
  );
  const { origin } = parseRepositoryUrl(repository, context.settings);
  return safeSource({ snapshot, origin, commit, submodules, flags, warnings: [] }, context);
}
