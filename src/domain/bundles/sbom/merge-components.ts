import type { SbomComponent } from '../sbom-component.ts';

/**
 * Rows of all package managers, one for each purl (prefetch.md 13.1, 13.2). Where the same purl stands for different
 * bytes, the refs differ by a suffix. Sorted by ref, so that the document does not depend on who finished first.
 */
export function mergeComponents(components: readonly SbomComponent[]): SbomComponent[] {
  const merged = new Map<string, SbomComponent>();
  for (const component of components) {
    const present = merged.get(component.ref);
    merged.set(component.ref, present ? merge(present, component) : normal(component));
  }
  return [...merged.values()].sort((a, b) => compare(a.ref, b.ref));
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
