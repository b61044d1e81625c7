import { posix } from 'node:path';
import type { ConfigurationFile } from '../../../domain/bundles/bundle-file.ts';
import { ValidationError } from '../../../domain/errors.ts';
import type { Dependency, ResolvedPackage } from '../../../domain/packages/package.ts';
import type { ResolvedDependency } from '../../javascript-packages/components.ts';
import { type Fetched, fetchDependencies } from '../../javascript-packages/downloads.ts';
import { ENVIRONMENT } from '../../javascript-packages/environment.ts';
import { integrityOf } from '../../javascript-packages/integrity.ts';
import { isObject, type JsonObject, parseJsonObject } from '../../javascript-packages/json-object.ts';
import { BundleLayout } from '../../javascript-packages/layout.ts';
import { describeSettings, offlineNpmrc, registryNpmrc } from '../../javascript-packages/npmrc.ts';
import { type NpmRegistries, readRegistries } from '../../javascript-packages/registries.ts';
import { isFile, readCapped } from '../../javascript-packages/source-files.ts';
import { missingIntegrity } from '../../javascript-packages/sources.ts';
import type { Resolution, ResolveContext } from '../ecosystem.ts';
import { REGISTRY_CA, registryAuthority } from '../registry-authority.ts';
import { type Classified, classify } from './classify.ts';
import { npmComponents, type ResolvedNpmPackage } from './components.ts';
import {
  offlineAddress,
  type Replacement,
  registryTarball,
  rewriteLockFile,
  rewriteManifest,
  type TarballAddress,
} from './configuration.ts';
import { NPM_DIRECTORY, tarballPath } from './layout.ts';
import { type LockEntry, type LockFile, parseLockFile } from './lock-file.ts';
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
  const count = assertDependencyCount(context, found);
  log.info(`npm: ${count} dependencies in ${files.map(({ lockFile }) => lockFile).join(', ')}`);

  const all = found.flatMap(({ dependencies }) => dependencies);
  const fetched = await fetchDependencies(context, all, registries);

  const layout = new BundleLayout(log);
  const resolved = found.map((one) => layOut(one, fetched, layout));
  context.progress.add({ packages: count });
  const authority = await registryAuthority(settings, REGISTRY_CA);
  const setups = await Promise.all(
    resolved.map((one, index) => consumerFiles(context, found[index]!, one, authority)),
  );
  return {
    packages: found.map(report),
    files: layout.files(),
    directories: [NPM_DIRECTORY],
    sourceChanges: [],
    offline: {
      environment: [...ENVIRONMENT],
      configurationFiles: setups.flatMap(({ offline }) => offline),
    },
    registry: {
      environment: [...ENVIRONMENT],
      configurationFiles: [...setups.flatMap(({ registry }) => registry), ...(authority ? [authority] : [])],
    },
    components: npmComponents(resolved, context.request),
    tools: {},
  };
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

/** prefetch.md 12: strict integrity leaves no gaps. */
function refuseUnverified(dependencies: readonly Classified[]): void {
  const unverified = dependencies.find(({ kind, expected }) => kind === 'registry' && expected.length === 0);
  if (unverified) throw missingIntegrity(`${unverified.entry.name}@${unverified.version}`);
}

function assertDependencyCount({ settings, progress }: ResolveContext, found: readonly NpmPackage[]): number {
  const count = found.reduce((sum, { dependencies }) => sum + dependencies.length, 0);
  const { dependencies: most } = settings.limits;
  if (count > most) {
    throw new ValidationError(
      'invalid-lockfile',
      `The lock files name ${count} dependencies, more than ${most}`,
    );
  }
  progress.expect({ packages: count });
  return count;
}

function layOut(
  { files, lock, manifest, dependencies }: NpmPackage,
  { artifacts, repacked }: Fetched,
  layout: BundleLayout,
): ResolvedNpmPackage & { replacements: Map<string, Replacement> } {
  const replacements = new Map<string, Replacement>();
  const resolved = dependencies.map((dependency): ResolvedDependency<LockEntry> => {
    const { entry } = dependency;
    const owner = `${entry.name}@${dependency.version}`;
    const download = artifacts.get(dependency);
    if (download) {
      const bundlePath = tarballPath(dependency, dependency.version);
      layout.add(bundlePath, download, owner);
      replacements.set(entry.location, { bundlePath, version: dependency.version, repacked: null });
      return {
        dependency,
        version: dependency.version,
        license: entry.license,
        artifact: download,
        bundlePath,
      };
    }
    const packed = repacked.get(dependency);
    if (packed) {
      const bundlePath = tarballPath(dependency, packed.newVersion);
      const integrity = integrityOf('sha512', packed.artifact.digests.sha512!);
      layout.add(bundlePath, packed.artifact, owner);
      replacements.set(entry.location, { bundlePath, version: packed.newVersion, repacked: { integrity } });
      return {
        dependency,
        version: packed.version,
        license: entry.license ?? packed.license,
        artifact: packed.download ?? packed.artifact,
        bundlePath,
      };
    }
    return { dependency, version: entry.version, license: entry.license, artifact: null, bundlePath: null };
  });
  return {
    lock,
    directory: files.directory,
    rootDependencies: lock.rootDependencies ?? manifestDependencies(manifest),
    dependencies: resolved,
    replacements,
  };
}

function manifestDependencies(manifest: JsonObject): string[] {
  const fields = ['dependencies', 'devDependencies', 'optionalDependencies', 'peerDependencies'];
  return [
    ...new Set(fields.flatMap((field) => Object.keys(isObject(manifest[field]) ? manifest[field] : {}))),
  ];
}

/** cachito.md 1.6. Of equal names and versions, the one that is not for development wins. */
function report({ files, lock, dependencies }: NpmPackage): ResolvedPackage {
  const unique = new Map<string, Dependency>();
  for (const { entry, version } of dependencies) {
    const key = JSON.stringify([entry.name, version]);
    const known = unique.get(key);
    unique.set(key, {
      type: 'npm',
      name: entry.name,
      version,
      dev: entry.dev && (known?.dev ?? true),
      replaces: null,
    });
  }
  return {
    type: 'npm',
    name: lock.name,
    version: lock.version,
    path: files.directory,
    dependencies: [...unique.values()].sort(byNameAndVersion),
  };
}

function byNameAndVersion(a: Dependency, b: Dependency): number {
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return (a.version ?? '') < (b.version ?? '') ? -1 : 1;
}

async function consumerFiles(
  context: ResolveContext,
  { files, lock, manifest, dependencies }: NpmPackage,
  { replacements }: { replacements: ReadonlyMap<string, Replacement> },
  authority: ConfigurationFile | null,
): Promise<{ offline: ConfigurationFile[]; registry: ConfigurationFile[] }> {
  const { directory } = files;
  await logNpmrc(context, directory);
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

async function logNpmrc({ source, log, settings }: ResolveContext, directory: string): Promise<void> {
  const path = posix.join(directory, '.npmrc');
  if (!isFile(source, path)) return;
  const lines = describeSettings(await readCapped(source, path, settings.limits.lockFileBytes));
  log.warn(`npm: ${path} of the repository is not used; its lines are dropped: ${lines.join(', ')}`);
}
