import { posix } from 'node:path';
import { MISSING_HASH } from '../../../domain/bundles/sbom/component-properties.ts';
import { ComponentRows, componentRow } from '../../../domain/bundles/sbom/component-rows.ts';
import type { SbomComponent } from '../../../domain/bundles/sbom-component.ts';
import type { SourceLocation } from '../package-purl.ts';
import type { ListedModule, ListedPackage } from './listed-packages.ts';
import { type ModuleVersion, moduleKey } from './module-path.ts';
import { golangPurl, localPurl } from './purl.ts';
import { packageVersion, pathInModule, type ResolvedModule, replacedModule } from './report.ts';
import type { ShippedModule } from './shipped-files.ts';

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
  readonly #moduleRefs = new Map<string, string>();

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
    const refs = new Map<ListedPackage, string>();
    for (const listed of graph.packages.values()) {
      refs.set(listed, this.#addPackage(listed, entries.has(listed)));
    }
    for (const [listed, ref] of refs) {
      const imports = graph.importsOf(listed);
      this.#rows.connect(
        ref,
        imports.map((imported) => refs.get(imported)!),
      );
      if (!listed.Module) continue;
      const modulesOfImports = imports.flatMap(({ Module }) => (Module ? [Module] : []));
      this.#rows.connect(
        this.#refOfModule(listed.Module),
        modulesOfImports.map((module) => this.#refOfModule(module)),
      );
    }
  }

  #addPackage(listed: ListedPackage, isEntry: boolean): string {
    const { ImportPath, Module } = listed;
    const local = Module ? this.#localDirectory(Module) : null;
    if (!Module || local === null) {
      const version = Module ? replacedModule(Module).version : null;
      const purl = golangPurl('package', ImportPath, version);
      return this.#rows.add(componentRow({ purl, name: ImportPath, version }));
    }
    const isOwn = Module.Main && Module.Path === this.#resolved.name;
    const version = isOwn ? packageVersion(this.#resolved, ImportPath, Module) : null;
    const directory = posix.join(local, pathInModule(ImportPath, Module.Path));
    return this.#addSourceRow('package', ImportPath, version, directory, isEntry);
  }

  /** A build has one version of a module. */
  #refOfModule(module: ListedModule): string {
    const ref = this.#moduleRefs.get(module.Path) ?? this.#addListedModule(module);
    this.#moduleRefs.set(module.Path, ref);
    return ref;
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
    return this.#rows.add(
      componentRow({
        purl: golangPurl('module', name, version || null),
        name,
        version,
        ...(shipped && {
          hashes: { sha256: shipped.zip.digests.sha256 },
          distributionUrl: shipped.zip.url,
          bundlePaths: [shipped.bundlePath],
          properties: shipped.missingHashIn ? { [MISSING_HASH]: shipped.missingHashIn } : {},
        }),
      }),
    );
  }

  #addSourceRow(
    kind: 'module' | 'package',
    name: string,
    version: string | null,
    directory: string,
    isSourcePackage: boolean,
  ): string {
    const purl = localPurl(kind, name, version, this.#source, directory);
    return this.#rows.add(componentRow({ purl, name, version, isSourcePackage }));
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
