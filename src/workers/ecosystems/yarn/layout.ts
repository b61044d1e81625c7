import { tarballPathBelow } from '../../javascript-packages/layout.ts';
import type { Classified } from './classify.ts';

/** Where tarballs lie in the bundle (prefetch.md 4.1). */
export const YARN_DIRECTORY = 'deps/yarn';

/** The path of a fetched or repacked tarball. `version` has the suffix of external dependencies. */
export function tarballPath(dependency: Classified, version: string): string {
  return tarballPathBelow(YARN_DIRECTORY, dependency, version);
}
