/** What `go list -deps -json` tells of a package; only the fields that are asked for. */
export interface ListedPackage {
  ImportPath: string;
  Standard?: boolean;
  Module?: ListedModule;
  Imports?: string[];
  /** From the path in the source to the path of the package, where they differ. */
  ImportMap?: Record<string, string>;
  Error?: { Err: string };
}

export interface ListedModule {
  Path: string;
  Version?: string;
  Main?: boolean;
  Replace?: { Path: string; Version?: string };
}

export const PACKAGE_FIELDS = 'ImportPath,Standard,Module,Imports,ImportMap,Error';

/** All packages that the source needs, tests included, with their imports. */
export class PackageGraph {
  readonly packages = new Map<string, ListedPackage>();

  add(listed: ListedPackage): void {
    this.packages.set(listed.ImportPath, listed);
  }

  /** What go could not find or read. Dependencies have packages for other systems, which are of no interest. */
  errors(): string[] {
    return [...this.packages.values()].flatMap(({ ImportPath, Module, Error: error }) =>
      error && (!Module || Module.Main) ? [`${ImportPath}: ${error.Err.replace(/\s+/g, ' ')}`] : [],
    );
  }

  /** Whether go has left out packages because go.sum has no hash of their module. */
  lacksSums(): boolean {
    return [...this.packages.values()].some(({ Error: error }) =>
      error?.Err.includes('missing go.sum entry'),
    );
  }

  importsOf(listed: ListedPackage): ListedPackage[] {
    return (listed.Imports ?? []).flatMap((path) => {
      const found = this.packages.get(listed.ImportMap?.[path] ?? path);
      return found ? [found] : [];
    });
  }

  /** Everything that the packages import, and what that imports. */
  dependenciesOf(...listed: readonly ListedPackage[]): Set<ListedPackage> {
    const found = new Set<ListedPackage>();
    const pending = listed.flatMap((one) => this.importsOf(one));
    for (let next = pending.pop(); next; next = pending.pop()) {
      if (found.has(next)) continue;
      found.add(next);
      pending.push(...this.importsOf(next));
    }
    return found;
  }

  /** Packages of a main module that no other of them needs: those are reported (prefetch.md 2.1). */
  entryPackages(module: string): ListedPackage[] {
    const own = [...this.packages.values()].filter(({ Module }) => Module?.Main && Module.Path === module);
    const needed = this.dependenciesOf(...own);
    return own.filter((listed) => !needed.has(listed)).sort(byImportPath);
  }
}

function byImportPath(a: ListedPackage, b: ListedPackage): number {
  return a.ImportPath < b.ImportPath ? -1 : 1;
}
