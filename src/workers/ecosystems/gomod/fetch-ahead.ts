import { assertDependencyCount } from '../dependency-limit.ts';
import type { ResolveContext } from '../ecosystem.ts';
import { mergeGoSums, type SumLine } from './go-sum.ts';
import type { ModuleCache } from './module-cache.ts';
import { type ModuleFiles, TOOLCHAIN, UnknownModuleFile } from './module-files.ts';
import { type ModuleVersion, moduleKey } from './module-path.ts';
import { mainModules, type RequestedModule } from './source-modules.ts';
import { isOlderGo } from './toolchain.ts';

/** The two waits of a fetch ahead. Both reject with the first failure. */
export interface FetchAhead {
  /** go can compute the module graph without any wait. */
  graph: Promise<void>;
  everything: Promise<void>;
}

/**
 * Fetches side by side what go.sum names, verifies it, and puts it where go finds it: the go command alone fetches only
 * a few modules at a time. What no proxy knows is left to the go command.
 */
export function fetchAhead(
  { log, settings, progress }: ResolveContext,
  modules: readonly RequestedModule[],
  files: ModuleFiles,
  cache: ModuleCache,
): FetchAhead {
  const sums = mergeGoSums(modules.flatMap(sumsOf));
  const needed = neededZips(modules);
  const zips = [...sums.zips.values()].filter(
    (line) => line.path !== TOOLCHAIN && (needed === 'all' || needed.has(moduleKey(line))),
  );
  const mods = [...sums.mods.values()];
  // go may ask for an archive before it is put where go looks first.
  for (const line of sums.zips.values()) files.expect('zip', line, line.h1);
  for (const line of mods) files.expect('mod', line, line.h1);
  assertDependencyCount(Math.max(zips.length, mods.length), settings.limits.dependencies, {
    files: 'go.sum files',
    things: 'modules',
  });
  progress.expect({ packages: zips.length });
  log.info(`gomod: ${zips.length} modules of go.sum are fetched ahead, and ${mods.length} go.mod files`);

  const tolerant = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof UnknownModuleFile)) throw error;
      log.debug(`gomod: ${error.message}`);
    }
  };
  const info = async (module: ModuleVersion): Promise<void> =>
    cache.putText('info', module, await files.raw('info', module));
  const mod = async (line: SumLine): Promise<void> =>
    cache.putText('mod', line, await files.mod(line, line.h1));
  // Small files first: go waits for them all, but for the archives only one after another.
  const small = [...mods.map((line) => tolerant(mod(line))), ...zips.map((line) => tolerant(info(line)))];
  const graph = settled(small);
  const zip = async (line: SumLine): Promise<void> => {
    await cache.putZip(line, await files.zip(line, line.h1));
    progress.add({ packages: 1 });
  };
  const everything = settled([...small, ...zips.map((line) => tolerant(zip(line)))]);
  graph.catch(() => undefined);
  everything.catch(() => undefined);
  return { graph, everything };
}

/** Of the module itself, or of all that its workspace unites. */
export function sumsOf(module: RequestedModule) {
  return [
    ...mainModules(module).map(({ sums }) => sums),
    ...(module.workspace ? [module.workspace.sums] : []),
  ];
}

/**
 * From Go 1.17 on, go.mod lists all modules that are needed to build: go.sum has further archives, which go never reads.
 * An older go.mod does not tell.
 */
function neededZips(modules: readonly RequestedModule[]): 'all' | Set<string> {
  const needed = new Set<string>();
  for (const module of modules) {
    const mains = mainModules(module);
    if (mains.some(({ goMod }) => isOlderGo(goMod.go ?? '1.16', '1.17'))) return 'all';
    const works = module.workspace ? [module.workspace.goWork] : [];
    for (const { require, replace } of [...mains.map(({ goMod }) => goMod), ...works]) {
      for (const one of require) needed.add(moduleKey(one));
      for (const { newPath, newVersion } of replace) {
        if (newVersion !== null) needed.add(moduleKey({ path: newPath, version: newVersion }));
      }
    }
  }
  return needed;
}

/** Waits for all, then throws the first failure in order: none is left behind unheard. */
async function settled(work: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(work);
  const failure = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failure) throw failure.reason;
}
