import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import { submodulePurl } from './purl.ts';
import type { Submodule } from './submodules.ts';

/** The SBOM's rows (prefetch.md 13.2). One repository may be there under several paths with one name for all. */
export function submoduleComponents(submodules: readonly Submodule[]): SbomComponent[] {
  const rows = new Map<string, SbomComponent>();
  for (const submodule of submodules) {
    const purl = submodulePurl(submodule);
    rows.set(purl, {
      ref: purl,
      purl,
      type: 'library',
      name: submodule.name,
      version: submodule.commit,
      isSourcePackage: true,
      hashes: {},
      bundlePaths: [],
      properties: {},
      dependsOn: [],
    });
  }
  return [...rows.values()].sort((a, b) => (a.ref < b.ref ? -1 : 1));
}
