import { ComponentRows, componentRow } from '../../../domain/bundles/sbom/component-rows.ts';
import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import { submodulePurl } from './purl.ts';
import type { Submodule } from './submodules.ts';

/** The SBOM's rows (prefetch.md 13.2). One repository may be there under several paths with one name for all. */
export function submoduleComponents(submodules: readonly Submodule[]): SbomComponent[] {
  const rows = new ComponentRows();
  for (const submodule of submodules) {
    const { name, commit } = submodule;
    rows.add(componentRow({ purl: submodulePurl(submodule), name, version: commit, isSourcePackage: true }));
  }
  return rows.sorted();
}
