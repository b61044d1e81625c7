import { PackageURL } from 'packageurl-js';
import { publicVcsUrl } from '../../../domain/sources/public-url.ts';
import type { Submodule } from './submodules.ts';

/** `pkg:generic/<name>@<commit>?vcs_url=git+<url>@<commit>`; without the URL when it is a path on the worker. */
export function submodulePurl({ name, url, commit }: Submodule): string {
  const vcsUrl = publicVcsUrl(url);
  const qualifiers = vcsUrl === null ? undefined : { vcs_url: `git+${vcsUrl}@${commit}` };
  return new PackageURL('generic', undefined, name, commit, qualifiers, undefined).toString();
}
