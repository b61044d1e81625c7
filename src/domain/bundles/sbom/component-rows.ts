import type { SbomComponent } from '../sbom-component.ts';
import { ANY_HASH, BUILD_DEPENDENCY, BUNDLED, DEVELOPMENT, MISSING_HASH } from './component-properties.ts';

type Identity = Pick<SbomComponent, 'purl' | 'name' | 'version'>;

/** A row with what is known of it; what is not said is unknown or empty. */
export function componentRow(row: Identity & Partial<Omit<SbomComponent, 'ref'>>): SbomComponent {
  return {
    ref: row.purl,
    type: 'library',
    isSourcePackage: false,
    hashes: {},
    bundlePaths: [],
    properties: {},
    dependsOn: [],
    ...row,
  };
}

/**
 * Rows by ref, one for each package that differs in purl or bytes (prefetch.md 13.1, 13.2): rows that mean the same are
 * merged, and where the same purl stands for different bytes the refs differ by a suffix.
 */
export class ComponentRows {
  readonly #rows = new Map<string, SbomComponent>();
  readonly #edges = new Map<string, Set<string>>();

  /** The ref under which the row is kept. */
  add(row: SbomComponent): string {
    for (let attempt = 1; ; attempt++) {
      const ref = attempt === 1 ? row.purl : `${row.purl}#${attempt}`;
      const known = this.#rows.get(ref);
      if (known && !isSameContent(known, row)) continue;
      this.#rows.set(ref, known ? merge(known, row) : { ...row, ref });
      if (row.dependsOn) this.connect(ref, row.dependsOn);
      return ref;
    }
  }

  /** Adds direct dependencies. With none at all it is known that there are none. */
  connect(from: string, to: readonly string[]): void {
    const edges = this.#edges.get(from) ?? new Set();
    for (const ref of to) if (ref !== from) edges.add(ref);
    this.#edges.set(from, edges);
  }

  /** Sorted by ref, with every list in it, so that nothing depends on who came first. */
  sorted(): SbomComponent[] {
    return [...this.#rows.values()]
      .map((row) => ({
        ...row,
        bundlePaths: sortedUnion(row.bundlePaths, []),
        properties: mergeProperties(row.properties, row.properties),
        dependsOn: this.#edges.has(row.ref) ? [...this.#edges.get(row.ref)!].sort() : null,
      }))
      .sort((a, b) => (a.ref < b.ref ? -1 : 1));
  }
}

/** What nothing is known of may be anything. */
function isSameContent(a: SbomComponent, b: SbomComponent): boolean {
  return Object.entries(a.hashes).every(([algorithm, hex]) => {
    const other = b.hashes[algorithm as keyof SbomComponent['hashes']];
    return other === undefined || other === hex;
  });
}

function merge(a: SbomComponent, b: SbomComponent): SbomComponent {
  const distributionUrl = a.distributionUrl ?? b.distributionUrl;
  const license = a.license ?? b.license;
  const lockFiles = sortedUnion(a.lockFiles ?? [], b.lockFiles ?? []);
  return {
    ...a,
    isSourcePackage: a.isSourcePackage || b.isSourcePackage,
    hashes: { ...b.hashes, ...a.hashes },
    bundlePaths: sortedUnion(a.bundlePaths, b.bundlePaths),
    properties: mergeProperties(a.properties, b.properties),
    ...(distributionUrl !== undefined && { distributionUrl }),
    ...(license !== undefined && { license }),
    ...(lockFiles.length > 0 && { lockFiles }),
  };
}

/** Flags that must hold everywhere: one use at run time wins over any number for development. */
const EVERYWHERE = new Set([BUNDLED, DEVELOPMENT, BUILD_DEPENDENCY]);
/** Comma separated. */
const LISTS = new Set([MISSING_HASH, ANY_HASH]);

function mergeProperties(a: Record<string, string>, b: Record<string, string>): Record<string, string> {
  const merged: Record<string, string> = {};
  for (const name of sortedUnion(Object.keys(a), Object.keys(b))) {
    const [left, right] = [a[name], b[name]];
    if (EVERYWHERE.has(name) && (left === undefined || right === undefined)) continue;
    if (LISTS.has(name) && left !== undefined && right !== undefined) {
      merged[name] = sortedUnion(left.split(','), right.split(',')).join(',');
    } else {
      merged[name] = left ?? right!;
    }
  }
  return merged;
}

function sortedUnion(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])].sort();
}
