import { PackageURL } from 'packageurl-js';

/** The source of the request, as purls name it. */
export interface SourceLocation {
  repository: string | null;
  commit: string | null;
}

type Kind = 'module' | 'package';

/** `pkg:golang/<path>@<version>?type=…`; no version for the standard library. */
export function golangPurl(kind: Kind, path: string, version: string | null): string {
  return purl(path, version, { type: kind }, null);
}

/** A module or package of the source itself. `directory` is relative to the source root. */
export function sourcePurl(
  kind: Kind,
  path: string,
  version: string | null,
  { repository, commit }: SourceLocation,
  directory: string,
): string {
  const vcsUrl = repository === null ? null : publicVcsUrl(repository);
  const vcs: Record<string, string> =
    vcsUrl === null || commit === null ? {} : { vcs_url: `git+${vcsUrl}@${commit}` };
  return purl(path, version, { type: kind, ...vcs }, directory === '.' ? null : directory);
}

function purl(
  path: string,
  version: string | null,
  qualifiers: Record<string, string>,
  subpath: string | null,
): string {
  const slash = path.lastIndexOf('/');
  return new PackageURL(
    'golang',
    slash < 0 ? undefined : path.slice(0, slash),
    path.slice(slash + 1),
    version ?? undefined,
    qualifiers,
    subpath ?? undefined,
  ).toString();
}

/** URL of a repository without credentials and with a scheme; null for a path on this machine. */
function publicVcsUrl(repository: string): string | null {
  const scp = /^(?:([^@/\s]+)@)?([^:/\s]+):(?!\/)(.+)$/.exec(repository);
  if (scp) return `ssh://${scp[1] ? `${scp[1]}@` : ''}${scp[2]}/${scp[3]}`;
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(repository) || /^file:/i.test(repository)) return null;
  if (!URL.canParse(repository)) return null;
  const url = new URL(repository);
  if (url.username === '' && url.password === '') return repository;
  // The user of an ssh URL is part of the address.
  if (url.protocol !== 'ssh:') url.username = '';
  url.password = '';
  return url.href;
}
