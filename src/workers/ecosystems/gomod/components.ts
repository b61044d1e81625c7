import { posix } from 'node:path';
import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import type { ListedModule, ListedPackage } from './listed-packages.ts';
import { type ModuleVersion, moduleKey } from './module-path.ts';
import { golangPurl, type SourceLocation, sourcePurl } from './purl.ts';
import { packageVersion, pathInModule, type ResolvedModule, replacedModule } from './report.ts';
import type { ShippedModule } from './shipped-files.ts';

const MISSING_HASH = 'stowage:missing_hash:in_file';

/** The SBOM's rows (prefetch.md 13.2): modules and packages, the standard library among them. */
export function gomodComponents(
  resolved: readonly ResolvedModule[],
  shipped: ReadonlyMap<string, ShippedModule>,
  source: SourceLocation,
): SbomComponent[] {
  const rows = new ComponentRows();
  for (const one of resolved) new ModuleRows(rows, one, shipped, source).add();
  return rows.sorted();
}

/** The rows of one module of the source. */
class ModuleRows {
  readonly #rows: ComponentRows;
  readonly #resolved: ResolvedModule;
  readonly #shipped: ReadonlyMap<string, ShippedModule>;
  readonly #source: SourceLocation;

  constructor(
    rows: ComponentRows,
    resolved: ResolvedModule,
    shipped: ReadonlyMap<string, ShippedModule>,
    source: SourceLocation,
  ) {
    this.#rows = rows;
    this.#resolved = resolved;
    this.#shipped = shipped;
    this.#source = source;
  }

  add(): void {
    const { graph, modules, name, version } = this.#resolved;
    this.#addSourceRow('module', name, version, this.#resolved.module.directory, true);
    // Directories are no versions: their modules are found by their packages.
    for (const module of modules) if (!module.version.startsWith('.')) this.#addModule(module);
    const entries = new Set(graph.entryPackages(name));
    for (const listed of graph.packages.values()) {
      const ref = this.#addPackage(listed, entries.has(listed));
      const owner = listed.Module ? this.#addListedModule(listed.Module) : null;
      for (const imported of graph.importsOf(listed)) {
        this.#rows.connect(ref, this.#addPackage(imported, entries.has(imported)));
        if (owner && imported.Module) this.#rows.connect(owner, this.#addListedModule(imported.Module));
      }
    }
  }

  #addPackage(listed: ListedPackage, isEntry: boolean): string {
    const { ImportPath, Module } = listed;
    const local = Module ? this.#localDirectory(Module) : null;
    if (!Module || local === null) {
      const version = Module ? replacedModule(Module).version : null;
      return this.#rows.add(
        row({ purl: golangPurl('package', ImportPath, version), name: ImportPath, version }),
      );
    }
    const isOwn = Module.Main && Module.Path === this.#resolved.name;
    const version = isOwn ? packageVersion(this.#resolved, ImportPath, Module) : null;
    const directory = posix.join(local, pathInModule(ImportPath, Module.Path));
    return this.#addSourceRow('package', ImportPath, version, directory, isEntry);
  }

  #addListedModule(module: ListedModule): string {
    const local = this.#localDirectory(module);
    if (local !== null) {
      const isOwn = module.Main === true && module.Path === this.#resolved.name;
      const version = isOwn ? this.#resolved.version : null;
      return this.#addSourceRow('module', module.Path, version, local, isOwn);
    }
    const { name, version } = replacedModule(module);
    return this.#addModule({ path: name, version: version ?? '' });
  }

  #addModule(module: ModuleVersion): string {
    const shipped = this.#shipped.get(moduleKey(module));
    const { path: name, version } = module;
    return this.#rows.add({
      ...row({ purl: golangPurl('module', name, version || null), name, version }),
      ...(shipped && {
        hashes: { sha256: shipped.zip.digests.sha256 },
        distributionUrl: shipped.zip.url,
        bundlePaths: [shipped.bundlePath],
      }),
      properties: shipped?.missingHashIn ? { [MISSING_HASH]: shipped.missingHashIn } : {},
    });
  }

  #addSourceRow(
    kind: 'module' | 'package',
    name: string,
    version: string | null,
    directory: string,
    isSourcePackage: boolean,
  ): string {
    const purl = sourcePurl(kind, name, version, this.#source, directory);
    return this.#rows.add({ ...row({ purl, name, version }), isSourcePackage });
  }

  /** Of a module of the source, relative to its root; null for what is fetched. */
  #localDirectory({ Path, Main, Replace }: ListedModule): string | null {
    const { module, name } = this.#resolved;
    if (Main) {
      if (Path === name) return module.directory;
      return module.workspace?.members.find(({ goMod }) => goMod.module === Path)?.directory ?? null;
    }
    if (!Replace || Replace.Version !== undefined) return null;
    return posix.join(module.workspace?.directory ?? module.directory, Replace.Path);
  }
}

function row({ purl, name, version }: { purl: string; name: string; version: string | null }): SbomComponent {
  return {
    ref: purl,
    purl,
    type: 'library',
    name,
    version,
    isSourcePackage: false,
    hashes: {},
    bundlePaths: [],
    properties: {},
    dependsOn: [],
  };
}

/** Rows by purl: a module in one version has the same bytes everywhere. */
class ComponentRows {
  readonly #rows = new Map<string, SbomComponent>();
  readonly #edges = new Map<string, Set<string>>();

  add(row: SbomComponent): string {
    const known = this.#rows.get(row.ref);
    if (!known) this.#rows.set(row.ref, row);
    else known.isSourcePackage ||= row.isSourcePackage;
    return row.ref;
  }

  connect(from: string, to: string): void {
    if (from === to) return;
    const edges = this.#edges.get(from) ?? new Set();
    this.#edges.set(from, edges.add(to));
  }

  sorted(): SbomComponent[] {
    return [...this.#rows.values()]
      .map((row) => ({ ...row, dependsOn: [...(this.#edges.get(row.ref) ?? [])].sort() }))
      .sort((a, b) => (a.ref < b.ref ? -1 : 1));
  }
}
