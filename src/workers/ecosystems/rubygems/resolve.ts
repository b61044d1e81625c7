import { posix } from 'node:path';
import pLimit from 'p-limit';
import type { BundleLink } from '../../../domain/bundles/bundle-file.ts';
import { ValidationError } from '../../../domain/errors.ts';
import type { Dependency, ResolvedPackage } from '../../../domain/packages/package.ts';
import { uniqueDependencies } from '../../../domain/packages/reported-packages.ts';
import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import type { SourceTree } from '../../../domain/sources/source-tree.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import { BundleLayout } from '../bundle-layout.ts';
import { assertDependencyCount } from '../dependency-limit.ts';
import type { Resolution, ResolveContext } from '../ecosystem.ts';
import { fetchSideBySide } from '../fetch-side-by-side.ts';
import { REGISTRY_CA, registryAuthority } from '../registry-authority.ts';
import { repositoryName } from '../repository-name.ts';
import { readCapped } from '../source-files.ts';
import { type Classified, classifyLock, type GemDependency, type GitDependency } from './classify.ts';
import { gemComponents, type ResolvedGem, type ResolvedGemfile } from './components.ts';
import { type BundlerSetup, offlineSetup, refuseConfiguration, registrySetup } from './configuration.ts';
import { LOCK_FILE } from './detect.ts';
import { fetchGem } from './fetch-gem.ts';
import { CACHE_DIRECTORY, cachedGemPath, gemPath, RUBYGEMS_DIRECTORY } from './layout.ts';
import { type GemfileLock, parseGemfileLock } from './lock-file.ts';
import { readUpstream, type Upstream } from './upstream.ts';
import { fetchWorkTree, type WorkTree } from './work-tree.ts';

/** One path of the request, read and classified; nothing is fetched yet. */
interface Gemfile {
  directory: string;
  lock: GemfileLock;
  dependencies: Classified[];
}

/** What was fetched, by what it is. */
interface Fetched {
  gems: ReadonlyMap<string, Artifact>;
  workTrees: ReadonlyMap<string, WorkTree>;
}

/** Gems at a time: a page of the registry's index and a download each; downloads have limits of their own. */
const GEM_CONCURRENCY = 128;
const GIT_CONCURRENCY = 8;

/** From Gemfile.lock files to verified gems, work trees of git dependencies and Bundler's configuration (prefetch.md 7). */
export async function resolve(context: ResolveContext): Promise<Resolution> {
  const { source, settings, log, progress, request } = context;
  const upstream = await readUpstream(settings);
  const gemfiles: Gemfile[] = [];
  for (const { path } of context.packages) gemfiles.push(await readGemfile(context, path, upstream));
  const all = gemfiles.flatMap(({ dependencies }) => dependencies);
  assertDependencyCount(all.length, settings.limits.dependencies);
  progress.expect({ packages: planDownloads(all).length });
  log.info(`rubygems: ${all.length} dependencies in ${gemfiles.map(({ lock }) => lock.path).join(', ')}`);
  for (const { directory } of gemfiles) refuseConfiguration(source, directory);

  const fetched = await fetchAll(context, upstream, all);

  const withCache = request.rules === 'native' || request.flags.has('offline-bundle');
  const layout = layOut(context, fetched, all, withCache);
  const resolved = gemfiles.map((one) => resolvedGemfile(context, one, fetched));
  const setups = resolved.map(bundlerSetup(fetched));
  return {
    packages: resolved.map(report),
    ...layout,
    directories: [RUBYGEMS_DIRECTORY, ...(withCache ? [CACHE_DIRECTORY] : [])],
    sourceChanges: [],
    offline: offlineSetup(setups),
    registry: registrySetup(setups, await registryAuthority(settings, REGISTRY_CA)),
    components: gemComponents(resolved, request),
    tools: {},
  };
}

async function readGemfile(context: ResolveContext, path: string, upstream: Upstream): Promise<Gemfile> {
  const { source, settings, request } = context;
  const directory = posix.normalize(path);
  const lockFile = posix.join(directory, LOCK_FILE);
  const content = await readLockFile(source, lockFile, settings.limits.lockFileBytes);
  const lock = parseGemfileLock(lockFile, content);
  const dependencies = classifyLock(lock, {
    directory,
    source,
    isUpstream: (remote) => request.rules === 'native' && upstream.isConfigured(remote),
  });
  if (request.strictIntegrity) refuseUnverified(dependencies);
  return { directory, lock, dependencies };
}

async function readLockFile(source: SourceTree, path: string, maxBytes: number): Promise<Buffer> {
  const entry = source.lookup(path);
  if (entry === null || entry === 'directory' || entry.digest === undefined) {
    throw new ValidationError(
      'lockfile-not-found',
      `Gemfile.lock at path ${path} does not exist or is not a regular file.`,
    );
  }
  return readCapped(source, path, maxBytes);
}

/** prefetch.md 12: strict integrity leaves no gaps. */
function refuseUnverified(dependencies: readonly Classified[]): void {
  const unverified = dependencies.find(
    (one): one is GemDependency => one.kind === 'gem' && one.expected.length === 0,
  );
  if (!unverified) return;
  const { name, version } = unverified.spec;
  throw new ValidationError(
    'missing-checksum',
    `The gem ${name} (${version}) has no checksum in Gemfile.lock`,
    { hint: 'Run bundle lock --add-checksums with Bundler 2.6 or newer, and commit the lock file.' },
  );
}

// --- fetching -------------------------------------------------------------------------------------------------------

/** Everything once, however many lock files ask for it. */
async function fetchAll(
  context: ResolveContext,
  upstream: Upstream,
  all: readonly Classified[],
): Promise<Fetched> {
  const gems = new Map<string, Artifact>();
  const workTrees = new Map<string, WorkTree>();
  const limits = { gem: pLimit(GEM_CONCURRENCY), git: pLimit(GIT_CONCURRENCY) };
  await fetchSideBySide(
    context,
    planDownloads(all),
    ({ kind }) => limits[kind],
    async (one) => {
      if (one.kind === 'gem') gems.set(one.key, await fetchGem(context, upstream, one.gem));
      else workTrees.set(one.key, await fetchWorkTree(context, one.gems));
    },
  );
  return { gems, workTrees };
}

/** A gem, or a commit with all gems that lie in it. */
type Download =
  | { kind: 'gem'; key: string; gem: GemDependency }
  | { kind: 'git'; key: string; gems: [GitDependency, ...GitDependency[]] };

function planDownloads(all: readonly Classified[]): Download[] {
  const planned = new Map<string, Download>();
  for (const one of all) {
    if (one.kind === 'path') continue;
    const key = one.kind === 'gem' ? gemKey(one) : gitKey(one);
    const known = planned.get(key);
    if (one.kind === 'gem') planned.set(key, { kind: 'gem', key, gem: one });
    else if (known?.kind === 'git') known.gems.push(one);
    else planned.set(key, { kind: 'git', key, gems: [one] });
  }
  return [...planned.values()];
}

/** With its checksums: lock files that disagree about a gem are not both right. */
function gemKey({ remote, spec, expected }: GemDependency): string {
  return JSON.stringify([remote, spec.name, spec.version, expected.map(({ hex }) => hex)]);
}

function gitKey({ url, commit }: GitDependency): string {
  return `${url}#${commit}`;
}

// --- layout and report ----------------------------------------------------------------------------------------------

function layOut(
  { log }: ResolveContext,
  { gems, workTrees }: Fetched,
  all: readonly Classified[],
  withCache: boolean,
): Pick<Resolution, 'files'> & { links: BundleLink[] } {
  const layout = new BundleLayout(log);
  for (const one of all) {
    if (one.kind !== 'gem') continue;
    const { name, version } = one.spec;
    const artifact = gems.get(gemKey(one))!;
    const owner = `${name} ${version}`;
    layout.add(gemPath(name, version), artifact, owner);
    if (withCache) layout.add(cachedGemPath(name, version), artifact, owner);
  }
  for (const { files, links, path } of workTrees.values()) {
    for (const file of files) layout.add(file.path, file, path, file.mode);
    for (const link of links) layout.addLink(link, path);
  }
  return { files: layout.files(), links: layout.links() };
}

function resolvedGemfile(
  { request, source }: ResolveContext,
  { directory, lock, dependencies }: Gemfile,
  fetched: Fetched,
): ResolvedGemfile {
  return {
    name: packageName(request.repository, directory),
    version: request.commit ?? source.treeId,
    directory,
    lock,
    gems: dependencies.map((dependency) => resolvedGem(dependency, fetched)),
  };
}

function resolvedGem(dependency: Classified, { gems, workTrees }: Fetched): ResolvedGem {
  switch (dependency.kind) {
    case 'gem': {
      const { name, version } = dependency.spec;
      return { dependency, artifact: gems.get(gemKey(dependency))!, bundlePaths: [gemPath(name, version)] };
    }
    case 'git': {
      const { pack, packPath } = workTrees.get(gitKey(dependency))!;
      return { dependency, artifact: pack, bundlePaths: [packPath] };
    }
    case 'path':
      return { dependency, artifact: null, bundlePaths: [] };
  }
}

/** `<repository>[/<path>]` (prefetch.md 7.1). */
function packageName(repository: string | null, directory: string): string {
  const base = repositoryName(repository);
  return directory === '.' ? base : `${base}/${directory}`;
}

function bundlerSetup({ workTrees }: Fetched) {
  return ({ directory, gems }: ResolvedGemfile): BundlerSetup => ({
    directory,
    localGems: gems.flatMap(({ dependency }) =>
      dependency.kind === 'git'
        ? [{ name: dependency.spec.name, bundlePath: workTrees.get(gitKey(dependency))!.path }]
        : [],
    ),
  });
}

/** cachito.md 1.6: gems have no `dev`. */
function report({ name, version, directory, gems }: ResolvedGemfile): ResolvedPackage {
  const dependencies = gems.map(
    ({ dependency }): Dependency => ({
      type: 'rubygems',
      name: dependency.spec.name,
      version: reportedVersion(dependency),
      replaces: null,
    }),
  );
  return {
    type: 'rubygems',
    name,
    version,
    path: directory,
    dependencies: uniqueDependencies([{ dependencies }]),
  };
}

/** prefetch.md 7.1. */
function reportedVersion(dependency: Classified): string {
  switch (dependency.kind) {
    case 'gem':
      return dependency.spec.version;
    case 'git':
      return `git+${withoutCredentials(dependency.url)}@${dependency.commit}`;
    case 'path':
      return `./${dependency.path}`;
  }
}
