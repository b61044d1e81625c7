import { posix } from 'node:path';
import type { Dependency, PackageName, ResolvedPackage } from '../../../domain/packages/package.ts';
import type { ListedModule, ListedPackage, PackageGraph } from './listed-packages.ts';
import type { ModuleVersion } from './module-path.ts';
import type { RequestedModule } from './source-modules.ts';

/** A module of the request after go has worked on it. */
export interface ResolvedModule {
  module: RequestedModule;
  name: string;
  version: string;
  graph: PackageGraph;
  /** What was downloaded, or what is vendored. */
  modules: readonly ModuleVersion[];
  /** Names of modules that the request itself replaces. */
  replaced: ReadonlySet<string>;
}

/** The module and its packages (prefetch.md 2.1, cachito.md 1.6). */
export function report(resolved: ResolvedModule): ResolvedPackage[] {
  const { name, version, module, graph } = resolved;
  const packages = graph.entryPackages(name).map(
    (listed): ResolvedPackage => ({
      type: 'go-package',
      name: listed.ImportPath,
      version,
      path: posix.join(module.directory, pathInModule(listed.ImportPath, name)),
      dependencies: packageDependencies(resolved, listed),
    }),
  );
  const dependencies = moduleDependencies(resolved);
  return [{ type: 'gomod', name, version, path: module.directory, dependencies }, ...packages];
}

/** What a module is called after replacements: a version of another module, or a directory as its version. */
export function replacedModule({ Path, Version, Replace }: ListedModule): {
  name: string;
  version: string | null;
} {
  if (!Replace) return { name: Path, version: Version ?? null };
  return Replace.Version === undefined
    ? { name: Path, version: Replace.Path }
    : { name: Replace.Path, version: Replace.Version };
}

function moduleDependencies(resolved: ResolvedModule): Dependency[] {
  const found = new DependencyList();
  for (const { Module } of resolved.graph.packages.values()) {
    if (!Module || Module.Main) continue;
    const replaces = replacedName(resolved, Module, 'gomod', Module.Path);
    found.add({ type: 'gomod', ...replacedModule(Module), replaces });
  }
  for (const { path, version } of resolved.modules) {
    found.add({ type: 'gomod', name: path, version, replaces: null });
  }
  for (const member of resolved.module.workspace?.members ?? []) {
    if (member.directory === resolved.module.directory) continue;
    const version = localPath(resolved.module.directory, member.directory);
    found.add({ type: 'gomod', name: member.goMod.module!, version, replaces: null });
  }
  return found.sorted();
}

function packageDependencies(resolved: ResolvedModule, listed: ListedPackage): Dependency[] {
  const found = new DependencyList();
  for (const dependency of resolved.graph.dependenciesOf(listed)) {
    const { ImportPath, Module } = dependency;
    if (!Module) continue;
    const replaces = replacedName(resolved, Module, 'go-package', ImportPath);
    const version = packageVersion(resolved, ImportPath, Module);
    found.add({ type: 'go-package', name: ImportPath, version, replaces });
  }
  return found.sorted();
}

/** Of a package in the module's version; packages of local modules have their directory instead. */
export function packageVersion(
  { name, version, module }: ResolvedModule,
  importPath: string,
  listed: ListedModule,
): string | null {
  const inModule = pathInModule(importPath, listed.Path);
  if (listed.Main) {
    if (listed.Path === name) return version;
    const member = module.workspace?.members.find(({ goMod }) => goMod.module === listed.Path);
    return member ? below(localPath(module.directory, member.directory), inModule) : null;
  }
  if (listed.Replace && listed.Replace.Version === undefined) return below(listed.Replace.Path, inModule);
  return replacedModule(listed).version;
}

function replacedName(
  { replaced }: ResolvedModule,
  { Path, Version, Replace }: ListedModule,
  type: 'gomod' | 'go-package',
  name: string,
): PackageName | null {
  return Replace && replaced.has(Path) ? { type, name, version: Version ?? null } : null;
}

/** Empty for the package at the module's root. */
export function pathInModule(importPath: string, module: string): string {
  return importPath === module ? '' : importPath.slice(module.length + 1);
}

/** `./x` or `../x`, as go.mod files name directories. */
function localPath(from: string, to: string): string {
  const way = posix.relative(from, to);
  return way.startsWith('..') ? way : `./${way}`;
}

function below(directory: string, path: string): string {
  return path === '' ? directory : `${directory.replace(/\/+$/, '')}/${path}`;
}

/** Unique by name and version; the one that says what it replaces stays. */
class DependencyList {
  readonly #found = new Map<string, Dependency>();

  add(dependency: Dependency): void {
    const key = JSON.stringify([dependency.name, dependency.version]);
    if (!this.#found.get(key)?.replaces) this.#found.set(key, dependency);
  }

  sorted(): Dependency[] {
    return [...this.#found.values()].sort(byNameAndVersion);
  }
}

function byNameAndVersion(a: Dependency, b: Dependency): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return (a.version ?? '') < (b.version ?? '') ? -1 : 1;
}
