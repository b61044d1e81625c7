import { posix } from 'node:path';
import type { ConfigurationFile } from '../../../domain/bundles/bundle-file.ts';
import { consumerSetups, type PackageSetup } from '../../javascript-packages/consumer-setup.ts';
import type { LockedDependency } from '../../javascript-packages/dependency.ts';
import { type Fetched, fetchDependencies } from '../../javascript-packages/downloads.ts';
import { logDroppedSettings } from '../../javascript-packages/dropped-settings.ts';
import { isObject, type JsonObject, parseJsonObject } from '../../javascript-packages/json-object.ts';
import { tarballPath } from '../../javascript-packages/layout.ts';
import { offlineNpmrc, registryNpmrc } from '../../javascript-packages/npmrc.ts';
import { placeDependency, type Replacement } from '../../javascript-packages/placement.ts';
import { type NpmRegistries, readRegistries } from '../../javascript-packages/registries.ts';
import {
  expectDependencies,
  refuseUnverified,
  reportDependencies,
} from '../../javascript-packages/report.ts';
import { BundleLayout } from '../bundle-layout.ts';
import type { FileCame, Resolution, ResolveContext } from '../ecosystem.ts';
import { REGISTRY_CA, registryAuthority } from '../registry-authority.ts';
import { isFile, readCapped } from '../source-files.ts';
import { type Classified, classify } from './classify.ts';
import { npmComponents, type ResolvedNpmPackage } from './components.ts';
import {
  offlineAddress,
  registryTarball,
  rewriteLockFile,
  rewriteManifest,
  type TarballAddress,
} from './configuration.ts';
import { NPM_DIRECTORY } from './layout.ts';
import { type LockFile, parseLockFile } from './lock-file.ts';
import { findNpmFiles, type NpmFiles } from './repository-structure.ts';

/** One path of the request, read and classified; nothing is fetched yet. */
interface NpmPackage {
  files: NpmFiles;
  lock: LockFile;
  manifest: JsonObject;
  dependencies: Classified[];
}

/** From lock files to verified tarballs, reports and rewritten configuration (prefetch.md 3). */
export async function resolve(context: ResolveContext): Promise<Resolution> {
  const { source, packages, settings, log } = context;
  const files = packages.map(({ path }) => findNpmFiles(source, posix.normalize(path)));
  const registries = await readRegistries(settings);
  const found: NpmPackage[] = [];
  for (const one of files) found.push(await readPackage(context, one, registries));
  const all = found.flatMap(({ dependencies }) => dependencies);
  expectDependencies(context, all.length);
  log.info(`npm: ${all.length} dependencies in ${files.map(({ lockFile }) => lockFile).join(', ')}`);

  const foreseen = all.some(isRepacked) ? null : foresee(context, found);
  const needs = {
    manager: 'npm',
    digests: [],
    directory: NPM_DIRECTORY,
    ...(foreseen && { onStored: foreseen.onStored }),
  };
  const fetched = await fetchDependencies(context, all, registries, needs);

  const layout = new BundleLayout(log);
  const resolved = found.map((one) => layOut(one, fetched, layout));
  context.progress.add({ packages: all.length });
  const setups = await (foreseen?.setups() ??
    setupsOf(
      context,
      found,
      resolved.map(({ replacements }) => replacements),
    ));
  return {
    packages: found.map(({ files: { directory }, lock, dependencies }) => ({
      type: 'npm',
      name: lock.name,
      version: lock.version,
      path: directory,
      dependencies: reportDependencies('npm', dependencies),
    })),
    files: layout.files(),
    directories: [NPM_DIRECTORY],
    sourceChanges: [],
    ...setups,
    components: npmComponents(resolved, context.request),
    tools: {},
  };
}

function isRepacked({ kind }: LockedDependency): boolean {
  return kind === 'git' || kind === 'http';
}

/**
 * Where nothing is packed again, the lock files tell all of the bundle but the bytes. What the consumer gets is made while
 * downloads run, or when it is needed, once.
 */
function foresee(
  context: ResolveContext,
  found: readonly NpmPackage[],
): { onStored: FileCame; setups: () => ReturnType<typeof setupsOf> } {
  const replacements = found.map((one) => lockedReplacements(one));
  let made: ReturnType<typeof setupsOf> | null = null;
  const setups = () => (made ??= setupsOf(context, found, replacements));
  const onStored = context.foresee?.(async () => ({
    paths: replacements.flatMap((some) => [...some.values()].map(({ bundlePath }) => bundlePath)),
    directories: [NPM_DIRECTORY],
    offline: (await setups()).offline,
  }));
  return { onStored: onStored ?? (() => undefined), setups };
}

/** As {@link layOut} gives them for what comes from registries. */
function lockedReplacements({ dependencies }: NpmPackage): Map<string, Replacement> {
  const replacements = new Map<string, Replacement>();
  for (const dependency of dependencies) {
    if (dependency.kind !== 'registry') continue;
    const { entry, version } = dependency;
    const bundlePath = tarballPath(NPM_DIRECTORY, dependency, version);
    replacements.set(entry.location, { bundlePath, version, sha1: undefined, integrity: null });
  }
  return replacements;
}

async function readPackage(
  context: ResolveContext,
  files: NpmFiles,
  registries: NpmRegistries,
): Promise<NpmPackage> {
  const { source, settings, request } = context;
  const { lockFileBytes } = settings.limits;
  const lock = parseLockFile(files.lockFile, await readCapped(source, files.lockFile, lockFileBytes));
  const manifest = parseJsonObject(files.manifest, await readCapped(source, files.manifest, lockFileBytes));
  const rules = {
    registries,
    configuredRegistries: request.rules === 'native',
    fileDepsAllowlist: settings.npmFileDepsAllowlist,
  };
  const dependencies = lock.entries.map((entry) => classify(lock, entry, rules));
  if (request.strictIntegrity) refuseUnverified(dependencies);
  return { files, lock, manifest, dependencies };
}

function layOut(
  { files, lock, manifest, dependencies }: NpmPackage,
  fetched: Fetched,
  layout: BundleLayout,
): ResolvedNpmPackage & { replacements: Map<string, Replacement> } {
  const replacements = new Map<string, Replacement>();
  const placed = dependencies.map((dependency) => {
    const one = placeDependency(dependency, dependency.entry.version, fetched, {
      layout,
      directory: NPM_DIRECTORY,
    });
    if (one.replacement) replacements.set(dependency.entry.location, one.replacement);
    return one;
  });
  return {
    lock,
    directory: files.directory,
    rootDependencies: lock.rootDependencies ?? manifestDependencies(manifest),
    dependencies: placed,
    replacements,
  };
}

/** What a package.json asks for: names. */
export function manifestDependencies(manifest: JsonObject): string[] {
  const fields = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
  return [
    ...new Set(fields.flatMap((field) => Object.keys(isObject(manifest[field]) ? manifest[field] : {}))),
  ];
}

async function setupsOf(
  context: ResolveContext,
  found: readonly NpmPackage[],
  replacements: readonly ReadonlyMap<string, Replacement>[],
): Promise<ReturnType<typeof consumerSetups>> {
  const authority = await registryAuthority(context.settings, REGISTRY_CA);
  const setups = found.map((one, index) => consumerFiles(context, one, replacements[index]!, authority));
  return consumerSetups(await Promise.all(setups), authority);
}

async function consumerFiles(
  context: ResolveContext,
  { files, lock, manifest, dependencies }: NpmPackage,
  replacements: ReadonlyMap<string, Replacement>,
  authority: ConfigurationFile | null,
): Promise<PackageSetup> {
  const { directory } = files;
  await logDroppedSettings(context, 'npm', directory, ['.npmrc']);
  const manifests = [rewriteManifest(files.manifest, manifest, '', lock, replacements)];
  for (const dependency of dependencies) {
    if (dependency.kind !== 'file') continue;
    manifests.push(await rewriteWorkspace(context, files, dependency.path, lock, replacements));
  }
  const setup = (addressOf: TarballAddress, npmrc: ConfigurationFile) =>
    [...manifests, rewriteLockFile(lock, replacements, addressOf), npmrc].filter((file) => file !== null);
  return {
    offline: setup(offlineAddress(lock), offlineNpmrc(directory)),
    registry: setup(registryTarball, registryNpmrc(directory, 'npm', authority)),
  };
}

/** A workspace's own package.json must agree with the lock, too. */
async function rewriteWorkspace(
  { source, settings }: ResolveContext,
  files: NpmFiles,
  location: string,
  lock: LockFile,
  replacements: ReadonlyMap<string, Replacement>,
) {
  const path = posix.join(files.directory, location, 'package.json');
  if (!isFile(source, path)) return null;
  const content = await readCapped(source, path, settings.limits.lockFileBytes);
  return rewriteManifest(path, parseJsonObject(path, content), location, lock, replacements);
}
