import { posix } from 'node:path';
import type { ConfigurationFile } from '../../../domain/bundles/bundle-file.ts';
import type { ResolvedDependency } from '../../javascript-packages/components.ts';
import { consumerSetups, type PackageSetup } from '../../javascript-packages/consumer-setup.ts';
import { fetchDependencies } from '../../javascript-packages/downloads.ts';
import { logDroppedSettings } from '../../javascript-packages/dropped-settings.ts';
import type { JsonObject } from '../../javascript-packages/json-object.ts';
import { offlineNpmrc, registryNpmrc } from '../../javascript-packages/npmrc.ts';
import { placeDependency, type Replacement } from '../../javascript-packages/placement.ts';
import { type NpmRegistries, readRegistries } from '../../javascript-packages/registries.ts';
import {
  expectDependencies,
  refuseUnverified,
  reportDependencies,
} from '../../javascript-packages/report.ts';
import { BundleLayout } from '../bundle-layout.ts';
import type { Resolution, ResolveContext } from '../ecosystem.ts';
import { REGISTRY_CA, registryAuthority } from '../registry-authority.ts';
import { readCapped } from '../source-files.ts';
import {
  type Classified,
  classify,
  type PlacedEntry,
  workspaceDependency,
  workspaceEntry,
} from './classify.ts';
import { yarnComponents } from './components.ts';
import {
  type NewVersions,
  newVersions,
  offlineAddress,
  type Replacements,
  registryTarball,
  rewriteLockFile,
  rewriteManifest,
  type TarballAddress,
  yarnrc,
} from './configuration.ts';
import { runtimeEntries } from './development.ts';
import { YARN_DIRECTORY } from './layout.ts';
import { parseLockFile, type YarnLock } from './lock-file.ts';
import { readLocalManifest, readProject, type YarnProject } from './project.ts';
import { findYarnFiles, type YarnFiles } from './repository-structure.ts';

/** One path of the request, read and classified; nothing is fetched yet. */
interface YarnPackage {
  project: YarnProject;
  lock: YarnLock<PlacedEntry>;
  dependencies: Classified[];
}

type Placed = ResolvedDependency<PlacedEntry> & { replacement: Replacement | null };

/** From lock files to verified tarballs, reports and rewritten configuration (prefetch.md 4). */
export async function resolve(context: ResolveContext): Promise<Resolution> {
  const { source, packages, settings, log } = context;
  const files = packages.map(({ path }) => findYarnFiles(source, posix.normalize(path)));
  const registries = await readRegistries(settings);
  const found: YarnPackage[] = [];
  for (const one of files) found.push(await readPackage(context, one, registries));
  const all = found.flatMap(({ dependencies }) => dependencies);
  expectDependencies(context, all.length);
  log.info(`yarn: ${all.length} dependencies in ${files.map(({ lockFile }) => lockFile).join(', ')}`);

  const needs = { manager: 'yarn', digests: ['sha1'] as const, directory: YARN_DIRECTORY };
  const fetched = await fetchDependencies(context, all, registries, needs);

  const layout = new BundleLayout(log);
  const resolved = found.map((one) => ({
    ...one,
    dependencies: one.dependencies.map((dependency) =>
      placeDependency(dependency, dependency.entry.version, fetched, { layout, directory: YARN_DIRECTORY }),
    ),
  }));
  context.progress.add({ packages: all.length });
  const authority = await registryAuthority(settings, REGISTRY_CA);
  const setups = [];
  for (const one of resolved) {
    await logDroppedSettings(context, 'yarn', one.project.files.directory, ['.npmrc', '.yarnrc']);
    setups.push(await consumerFiles(context, one, authority));
  }
  return {
    packages: found.map(({ project, dependencies }) => ({
      type: 'yarn',
      name: project.name,
      version: project.version,
      path: project.files.directory,
      dependencies: reportDependencies('yarn', dependencies),
    })),
    files: layout.files(),
    directories: [YARN_DIRECTORY],
    sourceChanges: [],
    ...consumerSetups(setups, authority),
    components: yarnComponents(resolved, context.request),
    tools: {},
  };
}

async function readPackage(
  context: ResolveContext,
  files: YarnFiles,
  registries: NpmRegistries,
): Promise<YarnPackage> {
  const { source, settings, request } = context;
  const { lockFileBytes, dependencies: most } = settings.limits;
  const project = await readProject(source, files, lockFileBytes);
  const content = await readCapped(source, files.lockFile, lockFileBytes);
  const { path, entries } = parseLockFile(files.lockFile, content, most);
  const runtime = runtimeEntries(entries, project);
  const lock = { path, entries: entries.map((entry) => ({ ...entry, dev: !runtime.has(entry) })) };
  const rules = {
    registries,
    configuredRegistries: request.rules === 'native',
    fileDepsAllowlist: settings.yarnFileDepsAllowlist,
  };
  const dependencies = [
    ...lock.entries.map((entry) => classify(project, entry, rules)),
    ...project.workspaces.map((one) => workspaceDependency(workspaceEntry(one), one.folder)),
  ];
  if (request.strictIntegrity) refuseUnverified(dependencies);
  return { project, lock, dependencies };
}

async function consumerFiles(
  context: ResolveContext,
  {
    project,
    lock,
    dependencies,
  }: Pick<YarnPackage, 'project' | 'lock'> & { dependencies: readonly Placed[] },
  authority: ConfigurationFile | null,
): Promise<PackageSetup> {
  const { directory } = project.files;
  const replacements: Replacements = new Map(
    dependencies.flatMap(({ dependency, replacement }) =>
      replacement === null ? [] : [[dependency.entry, replacement] as const],
    ),
  );
  const versions = newVersions(replacements);
  const manifests = await rewriteManifests(context, project, dependencies, versions);
  const setup = (addressOf: TarballAddress, npmrc: ConfigurationFile) =>
    [...manifests, rewriteLockFile(lock, replacements, versions, addressOf), npmrc, yarnrc(directory)].filter(
      (file) => file !== null,
    );
  return {
    offline: setup(offlineAddress(lock.path), offlineNpmrc(directory)),
    registry: setup(registryTarball, registryNpmrc(directory, 'yarn', authority)),
  };
}

/** All package.json files that yarn reads: they must agree with the lock. */
async function rewriteManifests(
  { source, settings }: ResolveContext,
  { files, manifest, workspaces }: YarnProject,
  dependencies: readonly Placed[],
  versions: NewVersions,
): Promise<ConfigurationFile[]> {
  if (versions.size === 0) return [];
  const rewritten = new Map<string, ConfigurationFile | null>();
  const rewrite = (path: string, document: JsonObject) =>
    rewritten.set(path, rewriteManifest(path, document, versions));
  rewrite(posix.normalize(files.manifest), manifest);
  for (const workspace of workspaces) rewrite(workspace.path, workspace.manifest);
  for (const { dependency } of dependencies) {
    if (dependency.kind !== 'file' || posix.isAbsolute(dependency.path)) continue;
    const path = posix.join(files.directory, dependency.path, 'package.json');
    if (rewritten.has(path)) continue;
    const local = await readLocalManifest(source, path, settings.limits.lockFileBytes);
    if (local) rewrite(path, local);
  }
  return [...rewritten.values()].filter((file) => file !== null);
}
