import { InvalidFileFormat } from '../../../domain/errors.ts';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import {
  type GitModule,
  GitModulesSyntaxError,
  MAX_GIT_MODULES_BYTES,
  parseGitModules,
} from '../../git/git-modules.ts';
import { resolveSubmoduleUrl } from '../../git/repository-url.ts';

/** A submodule of the source: an entry of `.gitmodules` and the commit that the tree has at its path. */
export interface Submodule extends GitModule {
  /** Never relative. */
  url: string;
  commit: string;
}

export const GIT_MODULES = '.gitmodules';

/**
 * The submodules of the source itself, not theirs, sorted by path; entries without a commit in the tree name nothing
 * (prefetch.md 6). `repository` is that of the source: relative URLs begin there.
 */
export async function readSubmodules(source: SourceFiles, repository: string | null): Promise<Submodule[]> {
  if (source.entries.get(GIT_MODULES)?.digest === undefined) return [];
  const text = (await source.read(GIT_MODULES, MAX_GIT_MODULES_BYTES)).toString();
  return parse(text)
    .flatMap((module): Submodule[] => {
      const commit = source.entries.get(module.path)?.commit;
      if (commit === undefined) return [];
      const url = repository === null ? module.url : resolveSubmoduleUrl(repository, module.url);
      return [{ ...module, url, commit }];
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function parse(text: string): GitModule[] {
  try {
    return parseGitModules(text);
  } catch (error) {
    if (!(error instanceof GitModulesSyntaxError)) throw error;
    throw new InvalidFileFormat('unexpected-format', error.message, { cause: error });
  }
}
