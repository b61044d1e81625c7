import { mkdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { SourceChange } from '../../../domain/bundles/bundle-file.ts';
import { NetworkError } from '../../../domain/errors.ts';
import type { DependencyReplacement } from '../../../domain/packages/package.ts';
import type { GitTag } from '../../git/git-trees.ts';
import type { Resolution, ResolveContext } from '../ecosystem.ts';
import { changedFile, type Difference, sourceChanges } from './changed-source.ts';
import { gomodComponents } from './components.ts';
import { ENVIRONMENT, offlineEnvironment } from './configuration.ts';
import { type FetchAhead, fetchAhead, sumsOf } from './fetch-ahead.ts';
import { readGoConfiguration } from './go-configuration.ts';
import { prepareGoEnvironment } from './go-environment.ts';
import { downloadFailure, GoSession } from './go-session.ts';
import { type GoSum, mergeGoSums, parseGoSum } from './go-sum.ts';
import { DOWNLOAD_DIRECTORY, GOMOD_DIRECTORY } from './layout.ts';
import { assertLocalModules } from './local-modules.ts';
import { ModuleCache } from './module-cache.ts';
import { ModuleFiles } from './module-files.ts';
import type { ModuleVersion } from './module-path.ts';
import { startModuleProxy } from './module-proxy.ts';
import { historyTags, moduleVersion } from './module-version.ts';
import { applyReplacements, assertAllUsed, requestedReplacements } from './replacements.ts';
import { type ResolvedModule, report } from './report.ts';
import { ShippedFiles } from './shipped-files.ts';
import { findModules, mainModules, type RequestedModule, requiresOnlyMembers } from './source-modules.ts';
import { completeSums } from './sum-completion.ts';
import { chooseToolchain, mostDemanding } from './toolchain.ts';
import { readUpstream } from './upstream.ts';
import { assertVendoringAsked, isVendoring, vendor } from './vendoring.ts';

/** From go.mod files to a verified module cache and reports (prefetch.md 2). */
export async function resolve(context: ResolveContext): Promise<Resolution> {
  const replacements = requestedReplacements(context);
  const modules = await findModules(context);
  if (modules === null) return NOTHING;
  assertVendoringAsked(context, modules);
  const go = await readGoConfiguration(context.settings);
  const mayChange = replacements.length > 0 || context.request.flags.has('force-gomod-tidy');
  const toolchain = chooseToolchain(modules, go, mayChange);
  const upstream = await readUpstream(go, context.settings.allowPrivateNetworks);
  const files = new ModuleFiles(context, upstream.proxies, go.gonoproxy);
  const proxy = await startModuleProxy(files, context.blobs);
  const tags = historyTags(context);
  // A failure is thrown where it is waited for.
  tags.catch(() => undefined);
  let ahead: FetchAhead | null = null;
  try {
    const environment = await prepareGoEnvironment(context, { go, toolchain, upstream, proxyUrl: proxy.url });
    const cache = new ModuleCache(environment.moduleCache, context.blobs);
    ahead = fetchAhead(context, modules, files, cache);
    const session = new GoSession(context, await copySource(context), environment, proxy);
    await ahead.graph;
    const shipped = new ShippedFiles(context, files, cache);
    const work: Work = {
      context,
      session,
      replacements,
      mayChange,
      ahead,
      shipped,
      tags,
      changes: new Map(),
    };
    return await resolveModules(
      work,
      modules,
      toolchain === 'auto' ? await session.version(mostDemanding(modules)) : go.version,
    );
  } catch (error) {
    // What was fetched ahead may tell better why go failed.
    const [outcome] = await Promise.allSettled([ahead?.everything]);
    throw asContractFailure(context, outcome.status === 'rejected' ? outcome.reason : error);
  } finally {
    // Nothing goes on behind the caller's back.
    await Promise.allSettled([ahead?.everything, tags]);
    await proxy.close();
  }
}

const NOTHING: Resolution = {
  packages: [],
  files: [],
  directories: [],
  sourceChanges: [],
  offline: { environment: [], configurationFiles: [] },
  registry: { environment: [], configurationFiles: [] },
  components: [],
  tools: {},
};

interface Work {
  context: ResolveContext;
  session: GoSession;
  replacements: readonly DependencyReplacement[];
  /** Whether the request asks for changes of go.mod. */
  mayChange: boolean;
  ahead: FetchAhead;
  shipped: ShippedFiles;
  tags: Promise<GitTag[]>;
  /** Of the source, by path. */
  changes: Map<string, SourceChange>;
}

async function resolveModules(
  work: Work,
  modules: readonly RequestedModule[],
  goVersion: string,
): Promise<Resolution> {
  const { context, shipped, ahead, changes } = work;
  const { commit } = context.request;
  const at = { id: commit ?? context.source.treeId, time: context.source.time };
  const resolved: ResolvedModule[] = [];
  for (const module of modules) {
    const name = module.goMod.module!;
    const version = moduleVersion(name, module.directory, await work.tags, at);
    // go answers for a workspace as a whole.
    const known = resolved.find((other) => module.workspace && other.module.workspace === module.workspace);
    const found = known && !work.mayChange ? known : await resolveModule(work, module);
    resolved.push({ ...found, module, name, version });
  }
  await ahead.everything;
  await shipped.addLists();
  assertLocalModules(context, resolved);
  return {
    packages: resolved.flatMap(report),
    files: shipped.layout.files(),
    directories: [isVendoring(context) ? GOMOD_DIRECTORY : DOWNLOAD_DIRECTORY],
    sourceChanges: [...changes.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
    offline: { environment: offlineEnvironment(modules), configurationFiles: [] },
    registry: { environment: [...ENVIRONMENT], configurationFiles: [] },
    components: gomodComponents(resolved, shipped.modules, context.request),
    tools: { go: goVersion },
  };
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
): Promise<Pick<ResolvedModule, 'graph' | 'modules' | 'replaced'>> {
  const { context, session, replacements, mayChange } = work;
  await applyReplacements(session, module, replacements);
  if (mayChange) await session.run(module, ['mod', 'tidy']);
  const isVendored = isVendoring(context);
  const downloaded = isVendored || requiresOnlyMembers(module) ? [] : await session.download(module);
  const modules = isVendored ? await vendorModule(work, module) : downloaded;
  // Without dependencies there is no vendor directory.
  const list = () => session.listPackages(module, isVendored && modules.length > 0 ? 'vendor' : 'readonly');
  let graph = await list();
  if (graph.lacksSums() && !isVendored) {
    await completeSums(session, module, downloaded);
    graph = await list();
  }
  for (const error of graph.errors()) context.log.warn(`gomod: ${error}`);
  assertAllUsed(replacements, graph, modules);
  // The go.mod of the source stays as it is, unless the request asks for a change (prefetch.md 2.3).
  const goMod = mayChange || isVendored ? [posix.join(module.directory, 'go.mod')] : [];
  for (const path of [...sumFiles(module), ...goMod]) {
    await record(work, await changedFile(context, session.sourceDirectory, path));
  }
  if (!isVendored) await ship(work, module, modules);
  return { graph, modules, replaced: new Set(replacements.map(({ name }) => name)) };
}

async function vendorModule(work: Work, module: RequestedModule): Promise<ModuleVersion[]> {
  const { modules, difference } = await vendor(work.context, work.session, module);
  await record(work, difference);
  return modules;
}

async function ship(
  { session, ahead, shipped }: Work,
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
  await shipped.add({ modules, sums: mergeGoSums(sums), known: mergeGoSums(sumsOf(module)), inFile });
}

async function record({ context, session, changes }: Work, difference: Difference): Promise<void> {
  for (const change of await sourceChanges(context, session.sourceDirectory, difference)) {
    changes.set(change.path, change);
  }
}

/** All go.sum files that go reads and may add to. */
function sumFiles(module: RequestedModule): string[] {
  const files = mainModules(module).map(({ directory }) => posix.join(directory, 'go.sum'));
  return module.workspace ? [...files, posix.join(module.workspace.directory, 'go.work.sum')] : files;
}

/** Clients of the contract know one text for downloads that failed for good (prefetch.md 2.1). */
function asContractFailure(context: ResolveContext, error: unknown): unknown {
  if (context.request.rules !== 'cachito' || !(error instanceof NetworkError)) return error;
  return downloadFailure(error, isVendoring(context) ? 'go mod vendor' : 'go mod download -json');
}
