import { type PurlIdentity, packagePurl, type SourceLocation, sourcePurl } from '../package-purl.ts';

type Kind = 'module' | 'package';

/** `pkg:golang/<path>@<version>?type=…`; no version for the standard library. */
export function golangPurl(kind: Kind, path: string, version: string | null): string {
  return packagePurl(golang(path, version), { type: kind });
}

/** A module or package of the source itself. `directory` is relative to the source root. */
export function localPurl(
  kind: Kind,
  path: string,
  version: string | null,
  source: SourceLocation,
  directory: string,
): string {
  return sourcePurl(golang(path, version), source, directory, { type: kind });
}

function golang(path: string, version: string | null): PurlIdentity {
  const slash = path.lastIndexOf('/');
  return {
    type: 'golang',
    ...(slash < 0 ? {} : { namespace: path.slice(0, slash) }),
    name: path.slice(slash + 1),
    version,
  };
}
