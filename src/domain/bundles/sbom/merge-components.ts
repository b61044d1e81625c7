import type { SbomComponent } from '../sbom-component.ts';

/**
 * Rows of several resolutions (package managers, or whole requests), one for each purl (prefetch.md 13.1, 13.2). Where the
 * same purl stands for different bytes, the refs differ by a suffix. Sorted by ref, so that the document does not depend
 * on who finished first.
 */
export function mergeComponents(resolutions: readonly (readonly SbomComponent[])[]): SbomComponent[] {
  const names = new ComponentNames();
  const merged = new Map<string, SbomComponent>();
  for (const components of resolutions) {
    const refs = new Map(components.map((component) => [component.ref, names.refOf(component)]));
    for (const component of components) {
      const ref = refs.get(component.ref)!;
      const dependsOn = component.dependsOn?.map((one) => refs.get(one) ?? one) ?? null;
      const renamed = normal({ ...component, ref, dependsOn });
      const present = merged.get(ref);
      merged.set(ref, present ? merge(present, renamed) : renamed);
    }
  }
  return [...merged.values()].sort((a, b) => compare(a.ref, b.ref));
}

/** Gives the same ref to rows that mean the same, and no two others. */
class ComponentNames {
  /** sha256 by ref; undefined: nothing was fetched for it yet. */
  readonly #contents = new Map<string, string | undefined>();

  refOf({ purl, hashes: { sha256 } }: SbomComponent): string {
    for (let attempt = 1; ; attempt++) {
      const ref = attempt === 1 ? purl : `${purl}#${attempt}`;
      const known = this.#contents.get(ref);
      if (known !== undefined && sha256 !== undefined && known !== sha256) continue;
      this.#contents.set(ref, known ?? sha256);
      return ref;
    }
  }
}

/** Flags that must hold everywhere: one use at run time wins over any number for development. */
const EVERYWHERE = new Set([
  'cdx:npm:package:development',
  'cdx:npm:package:bundled',
  'stowage:pip:package:build-dependency',
]);
const UNION = 'stowage:missing_hash:in_file';

function merge(a: SbomComponent, b: SbomComponent): SbomComponent {
  const distributionUrl = a.distributionUrl ?? b.distributionUrl;
  const license = a.license ?? b.license;
  return {
    ...a,
    isSourcePackage: a.isSourcePackage || b.isSourcePackage,
    hashes: { ...b.hashes, ...a.hashes },
    bundlePaths: sortedUnion(a.bundlePaths, b.bundlePaths),
    properties: mergeProperties(a.properties, b.properties),
    dependsOn:
      a.dependsOn === null && b.dependsOn === null ? null : sortedUnion(a.dependsOn ?? [], b.dependsOn ?? []),
    ...(distributionUrl !== undefined && { distributionUrl }),
    ...(license !== undefined && { license }),
  };
}

function mergeProperties(a: Record<string, string>, b: Record<string, string>): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const name of sortedUnion(Object.keys(a), Object.keys(b))) {
    const [left, right] = [a[name], b[name]];
    if (EVERYWHERE.has(name) && (left === undefined || right === undefined)) continue;
    if (name === UNION && left !== undefined && right !== undefined) {
      merged[name] = sortedUnion(left.split(','), right.split(',')).join(',');
    } else {
      merged[name] = left ?? right!;
    }
  }
  return merged;
}

function normal(component: SbomComponent): SbomComponent {
  return {
    ...component,
    bundlePaths: sortedUnion(component.bundlePaths, []),
    dependsOn: component.dependsOn === null ? null : sortedUnion(component.dependsOn, []),
    properties: mergeProperties(component.properties, component.properties),
  };
}

function sortedUnion(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])].sort(compare);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
