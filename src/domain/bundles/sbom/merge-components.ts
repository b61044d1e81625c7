import type { SbomComponent } from '../sbom-component.ts';
import { ComponentRows } from './component-rows.ts';

/** Rows of several resolutions (package managers, or whole requests) as those of one (prefetch.md 13.2). */
export function mergeComponents(resolutions: readonly (readonly SbomComponent[])[]): SbomComponent[] {
  const rows = new ComponentRows();
  for (const components of resolutions) {
    // What a ref stands for in one resolution is known when all its rows have their place.
    const refs = new Map(components.map((row) => [row.ref, rows.add({ ...row, dependsOn: null })]));
    for (const { ref, dependsOn } of components) {
      if (dependsOn) {
        rows.connect(
          refs.get(ref)!,
          dependsOn.map((one) => refs.get(one) ?? one),
        );
      }
    }
  }
  return rows.sorted();
}
