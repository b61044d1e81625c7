import { publicVcsUrl } from '../../../domain/sources/public-url.ts';
import { packagePurl, vcsQualifier } from '../package-purl.ts';
import type { Submodule } from './submodules.ts';

/** `pkg:generic/<name>@<commit>?vcs_url=git+<url>@<commit>`; without the URL when it is a path on the worker. */
export function submodulePurl({ name, url, commit }: Submodule): string {
  const identity = { type: 'generic', name, version: commit };
  return packagePurl(identity, publicVcsUrl(url) === null ? {} : vcsQualifier(url, commit));
}
