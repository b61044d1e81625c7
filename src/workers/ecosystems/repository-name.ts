/** The last part of a repository's URL or path, as a name for packages that have none; `source` when there is nothing. */
export function repositoryName(repository: string | null): string {
  const origin = (repository ?? '').replace(/[/\\]+$/, '').replace(/\.git$/, '');
  return origin.slice(Math.max(origin.lastIndexOf('/'), origin.lastIndexOf(':')) + 1) || 'source';
}
