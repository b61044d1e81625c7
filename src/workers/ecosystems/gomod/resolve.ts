import { mkdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { SourceChange } from '../../../domain/bundles/bundle-file.ts';
import type { Resolution, ResolveContext } from '../ecosystem.ts';
import { changedFile, sourceChanges } from './changed-source.ts';
import { gomodComponents } from './components.ts';
import { offlineEnvironment } from './configuration.ts';
import { type FetchAhead, fetchAhead, sumsOf } from './fetch-ahead.ts';
import { readGoConfiguration } from './go-configuration.ts';
import { prepareGoEnvironment } from './go-environment.ts';
import { GoSession } from './go-session.ts';
import { type GoSum, mergeGoSums, parseGoSum } from './go-sum.ts';
import { BundleLayout, DOWNLOAD_DIRECTORY, GOMOD_DIRECTORY } from './layout.ts';
import { assertLocalModules } from './local-modules.ts';
import { ModuleCache } from './module-cache.ts';
import { ModuleFiles } from './module-files.ts';
import type { ModuleVersion } from './module-path.ts';
import { startModuleProxy } from './module-proxy.ts';
import { historyTags, moduleVersion } from './module-version.ts';
import { applyReplacements, assertAllUsed, requestedReplacements } from './replacements.ts';
import { type ResolvedModule, report } from './report.ts';
import { ShippedFiles } from './shipped-files.ts';
import { findModules, mainModules, type RequestedModule } from './source-modules.ts';
import { assertToolchain } from './toolchain.ts';
import { readUpstream } from './upstream.ts';
import { isVendoring, vendor } from './vendoring.ts';

/** From go.mod files to a verified module cache and reports (prefetch.md 2). */
export async function resolve(context: ResolveContext): Promise<Resolution> {
  const replacements = requestedReplacements(context);
  const modules = await findModules(context);
  if (modules === null) return NOTHING;
  const go = await readGoConfiguration(context.settings);
  assertToolchain(modules, go);
  const upstream = await readUpstream(go, context.settings.allowPrivateNetworks);
  const files = new ModuleFiles(context, upstream.proxies);
  const proxy = await startModuleProxy(files, context.blobs);
  try {
    const environment = await prepareGoEnvironment(context, go, upstream, proxy.url);
    const cache = new ModuleCache(environment.moduleCache, context.blobs);
    const ahead = fetchAhead(context, modules, files, cache);
    const tags = historyTags(context);
    tags.catch(() => undefined);
    const copy = await copySource(context);
    const session = new GoSession(context, copy, environment, proxy);
    await ahead.graph;

    const work = { context, session, replacements, layout: new BundleLayout() };
    const shipped = new ShippedFiles(context, files, cache);
    const resolved: ResolvedModule[] = [];
    const changes = new Map<string, SourceChange>();
    const { commit } = context.request;
    const at = { id: commit ?? context.source.treeId, time: context.source.time };
    for (const module of modules) {
      const name = module.goMod.module!;
      const version = moduleVersion(name, module.directory, await tags, at);
      const one = await resolveModule({ ...work, ahead, shipped }, module, changes);
      resolved.push({ module, name, version, ...one });
    }
    await ahead.everything;
    await shipped.addLists(work.layout);
    assertLocalModules(context, resolved);
    return {
      packages: resolved.flatMap(report),
      files: work.layout.files(),
      directories: [isVendoring(context) ? GOMOD_DIRECTORY : DOWNLOAD_DIRECTORY],
      sourceChanges: [...changes.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
      offline: { environment: offlineEnvironment(modules), configurationFiles: [] },
      components: gomodComponents(resolved, shipped.modules, context.request),
      tools: { go: go.version },
    };
  } finally {
    await proxy.close();
  }
}

const NOTHING: Resolution = {
  packages: [],
  files: [],
  directories: [],
  sourceChanges: [],
  offline: { environment: [], configurationFiles: [] },
  components: [],
  tools: {},
};

interface Work {
  context: ResolveContext;
  session: GoSession;
  replacements: ReturnType<typeof requestedReplacements>;
  layout: BundleLayout;
  ahead: FetchAhead;
  shipped: ShippedFiles;
}

/** go never sees the source itself, only a copy that it may change. */
async function copySource({ source, temporaryDirectory, signal }: ResolveContext): Promise<string> {
  const copy = join(temporaryDirectory, 'source');
  await mkdir(copy);
  await source.exportTo(copy, { signal });
  return copy;
}

async function resolveModule(
  work: Work,
  module: RequestedModule,
  changes: Map<string, SourceChange>,
): Promise<Pick<ResolvedModule, 'graph' | 'modules' | 'replaced'>> {
  const { context, session, replacements } = work;
  await applyReplacements(session, module, replacements);
  const mustTidy = replacements.length > 0 || context.request.flags.has('force-gomod-tidy');
  if (mustTidy) await session.run(module, ['mod', 'tidy']);
  const isVendored = isVendoring(context);
  const modules = isVendored ? await vendorModule(work, module, changes) : await session.download(module);
  const graph = await session.listPackages(module, isVendored ? 'vendor' : 'readonly');
  assertAllUsed(replacements, graph, modules);
  // The go.mod of the source stays as it is, unless the request asks for a change (prefetch.md 2.3).
  const changed = [
    ...sumFiles(module),
    ...(mustTidy || isVendored ? [posix.join(module.directory, 'go.mod')] : []),
  ];
  for (const path of changed) await recordChange(work, path, changes);
  if (!isVendored) await ship(work, module, modules);
  const replaced = new Set(replacements.map(({ name }) => name));
  return { graph, modules, replaced };
}

async function vendorModule(
  { context, session }: Work,
  module: RequestedModule,
  changes: Map<string, SourceChange>,
): Promise<ModuleVersion[]> {
  const { modules, difference } = await vendor(context, session, module);
  for (const change of await sourceChanges(context, session.sourceDirectory, difference)) {
    changes.set(change.path, change);
  }
  return modules;
}

async function ship(
  { session, layout, ahead, shipped }: Work,
  module: RequestedModule,
  modules: readonly ModuleVersion[],
): Promise<void> {
  await ahead.everything;
  const sums: GoSum[] = [];
  for (const path of sumFiles(module)) {
    const text = await readFile(join(session.sourceDirectory, path), 'utf8').catch(() => '');
    sums.push(parseGoSum(path, text));
  }
  const inFile = posix.join(module.directory, 'go.sum');
  await shipped.add({ modules, sums: mergeGoSums(sums), known: mergeGoSums(sumsOf(module)), inFile }, layout);
}

async function recordChange({ context, session }: Work, path: string, changes: Map<string, SourceChange>) {
  const difference = await changedFile(context, session.sourceDirectory, path);
  for (const change of await sourceChanges(context, session.sourceDirectory, difference)) {
    changes.set(change.path, change);
  }
}

/** All go.sum files that go reads and may add to. */
function sumFiles(module: RequestedModule): string[] {
  const files = mainModules(module).map(({ directory }) => posix.join(directory, 'go.sum'));
  return module.workspace ? [...files, posix.join(module.workspace.directory, 'go.work.sum')] : files;
}
