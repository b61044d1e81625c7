import type { PackageManager } from '../../domain/packages/package.ts';
import type { Ecosystem } from './ecosystem.ts';
import { gitSubmodule } from './git-submodule/index.ts';
import { gomod } from './gomod/index.ts';
import { npm } from './npm/index.ts';
import { pip } from './pip/index.ts';
import { rubygems } from './rubygems/index.ts';
import { yarn } from './yarn/index.ts';

/** The package managers of this release, in the order in which results are reported. */
export const ecosystems: ReadonlyMap<PackageManager, Ecosystem> = new Map(
  [gomod, npm, pip, gitSubmodule, yarn, rubygems].map((ecosystem) => [ecosystem.name, ecosystem]),
);
