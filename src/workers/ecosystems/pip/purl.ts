import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import { type PurlIdentity, packagePurl, vcsQualifier } from '../package-purl.ts';
import type { Planned } from './plan.ts';
import { safeName } from './project-name.ts';

/** `pkg:pypi/<lower-case safe_name>@<version>` */
export function pypi(name: string, version: string | null): PurlIdentity {
  return { type: 'pypi', name: safeName(name).toLowerCase(), version };
}

export function dependencyPurl(planned: Planned, name: string, version: string): string {
  switch (planned.kind) {
    case 'pypi':
      return packagePurl(pypi(name, version));
    case 'vcs': {
      const { url, commit } = planned.reference;
      return packagePurl(pypi(name, null), vcsQualifier(url, commit));
    }
    case 'url': {
      const { url, digest } = planned.reference;
      return packagePurl(pypi(name, null), {
        download_url: withoutCredentials(url),
        checksum: `${digest.algorithm}:${digest.hex}`,
      });
    }
  }
}
