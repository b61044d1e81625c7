import { PackageURL } from 'packageurl-js';

export interface ComponentName {
  type: string;
  /** With its namespace: `@angular/core`, `golang.org/x/net`. */
  name: string;
  version: string | null;
}

/** The parts of a purl by which components are searched. */
export function componentName(purl: string): ComponentName {
  const { type, namespace, name, version } = PackageURL.fromString(purl);
  return {
    type: type ?? 'generic',
    name: namespace ? `${namespace}/${name}` : (name ?? ''),
    version: version ?? null,
  };
}
