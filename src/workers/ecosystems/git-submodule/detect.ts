import { DomainError } from '../../../domain/errors.ts';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import { parseRepositoryUrl } from '../../git/repository-url.ts';
import type { DetectContext, DetectedPackage } from '../ecosystem.ts';
import { GIT_MODULES, readSubmodules, type Submodule } from './submodules.ts';

/**
 * The submodules of the source, all or none: a source with some of them would be neither what a clone is nor what a
 * recursive one is. None when one of them has no URL that a source may use.
 */
export async function detect(source: SourceFiles, context?: DetectContext): Promise<DetectedPackage[]> {
  const links = [...source.entries.values()].filter(({ mode }) => mode === '160000');
  if (links.length === 0 || !context) return [];
  const submodules = await readSubmodules(source, context.repository).catch((error: unknown) => {
    if (error instanceof DomainError) return [];
    throw error;
  });
  const known = new Set(submodules.filter((one) => mayBeFetched(one, context)).map(({ path }) => path));
  if (!links.every(({ path }) => known.has(path))) return [];
  return [{ options: { path: '.' }, evidence: [GIT_MODULES] }];
}

function mayBeFetched({ url }: Submodule, { repository, settings }: DetectContext): boolean {
  try {
    const { protocol } = parseRepositoryUrl(url, settings);
    return (
      protocol !== 'file' ||
      (repository !== null && parseRepositoryUrl(repository, settings).protocol === 'file')
    );
  } catch (error) {
    if (error instanceof DomainError) return false;
    throw error;
  }
}
