import pLimit from 'p-limit';
import type { BundleFile } from '../../../domain/bundles/bundle-file.ts';
import { ValidationError } from '../../../domain/errors.ts';
import type { Dependency, PackageOptions, ResolvedPackage } from '../../../domain/packages/package.ts';
import { uniqueDependencies } from '../../../domain/packages/reported-packages.ts';
import { withoutCredentials } from '../../../domain/sources/public-url.ts';
import type { Artifact } from '../../downloads/artifact-store.ts';
import { BundleLayout } from '../bundle-layout.ts';
import { assertDependencyCount } from '../dependency-limit.ts';
import type { Resolution, ResolveContext } from '../ecosystem.ts';
import { fetchSideBySide } from '../fetch-side-by-side.ts';
import { PACKAGE_INDEX_CA, registryAuthority } from '../registry-authority.ts';
import { pipComponents, type ResolvedFile, type ResolvedPipPackage } from './components.ts';
import {
  OFFLINE_ENVIRONMENT,
  offlineArchive,
  type Redirected,
  registryArchive,
  registryEnvironment,
  rewriteRequirements,
} from './configuration.ts';
import { fetchGit, fetchUrl } from './fetch-direct.ts';
import { type FetchedFile, fetchRelease } from './fetch-release.ts';
import { renderIndexPage } from './index-page.ts';
import { gitArchivePath, INDEX_PAGE, indexFilePath, PIP_DIRECTORY, urlArchivePath } from './layout.ts';
import {
  type Planned,
  type PlannedGit,
  type PlannedRelease,
  type PlannedUrl,
  planDependencies,
} from './plan.ts';
import { type ProjectMetadata, readProjectMetadata } from './project-metadata.ts';
import { BUILD_REQUIREMENTS, readRequirements } from './requirements-tree.ts';
import { isSameIndex, readUpstream, type Upstream } from './upstream.ts';
import { wheelTargets } from './wheel-target.ts';

/** One path of the request, read and checked; nothing is fetched yet. */
interface PipPackage {
  directory: string;
  metadata: ProjectMetadata;
  planned: Planned[];
}

/** What was fetched for a planned dependency: files of a release, or one archive. */
type Fetched =
  | { planned: PlannedRelease; files: FetchedFile[] }
  | { planned: PlannedGit | PlannedUrl; artifact: Artifact };

/** Dependencies at a time: an index page and a download each; downloads have limits of their own. */
const CONCURRENCY = 128;

/** From requirements files to verified archives, reports and rewritten files (prefetch.md 5). */
export async function resolve(context: ResolveContext): Promise<Resolution> {
  const { log, progress, request, settings } = context;
  const upstream = await readUpstream(settings);
  const packages: PipPackage[] = [];
  for (const options of context.packages) packages.push(await readPackage(context, options, upstream));
  const all = packages.flatMap(({ planned }) => planned);
  assertDependencyCount(all.length, settings.limits.dependencies, { files: 'requirements files' });
  progress.expect({ packages: all.length });
  log.info(`pip: ${all.length} requirements, index ${upstream.index}`);

  const fetched = await fetchAll(context, upstream, all);

  const layout = new BundleLayout(log);
  const resolved = packages.map((one) => layOut(one, fetched, layout));
  const redirected = all.flatMap((planned) => redirect(fetched.get(planned)!));
  const authority = await registryAuthority(settings, PACKAGE_INDEX_CA);
  return {
    packages: resolved.map(report),
    files: await withIndexPage(context, markVarying(context, layout.files(), resolved)),
    directories: [PIP_DIRECTORY],
    sourceChanges: [],
    offline: {
      environment: [...OFFLINE_ENVIRONMENT],
      configurationFiles: rewriteRequirements(redirected, offlineArchive),
    },
    registry: {
      environment: registryEnvironment(authority),
      configurationFiles: [
        ...rewriteRequirements(redirected, registryArchive),
        ...(authority ? [authority] : []),
      ],
    },
    components: pipComponents(resolved, request),
    tools: {},
  };
}

async function readPackage(
  context: ResolveContext,
  options: PackageOptions,
  upstream: Upstream,
): Promise<PipPackage> {
  const { source, request, settings, log } = context;
  const { rules, repository, strictIntegrity } = request;
  const maxBytes = settings.limits.lockFileBytes;
  const directory = options.path;
  if (rules === 'native' && source.lookup(directory) !== 'directory') {
    throw new ValidationError('invalid-input', `The path "${directory}" is not a directory of the source`);
  }
  const metadata = await readProjectMetadata({ source, directory, rules, repository, maxBytes, log });
  const trees = await readRequirements(options, { source, rules, maxBytes });
  const wheels = rules === 'native' && options.binary ? wheelTargets(options.binary) : null;
  const isUpstream = (url: string) => isSameIndex(upstream, url);
  const planned = trees.flatMap((tree) =>
    planDependencies(tree, { rules, strictIntegrity, wheels, isUpstream, log }),
  );
  if (wheels === null && planned.length > 0 && !planned.some(({ dev }) => dev)) {
    log.warn(
      `pip: no build requirements are named at "${directory}"; list in ${BUILD_REQUIREMENTS} what pip needs to build the source archives offline`,
    );
  }
  return { directory, metadata, planned };
}

/** The download of a file starts as soon as its index page is there. */
async function fetchAll(
  context: ResolveContext,
  upstream: Upstream,
  planned: readonly Planned[],
): Promise<Map<Planned, Fetched>> {
  const limit = pLimit(CONCURRENCY);
  const fetched = new Map<Planned, Fetched>();
  await fetchSideBySide(
    context,
    planned,
    () => limit,
    async (one) => void fetched.set(one, await fetchOne(context, upstream, one)),
  );
  return fetched;
}

async function fetchOne(context: ResolveContext, upstream: Upstream, planned: Planned): Promise<Fetched> {
  switch (planned.kind) {
    case 'pypi':
      return { planned, files: await fetchRelease(context, upstream, planned) };
    case 'vcs':
      return { planned, artifact: await fetchGit(context, planned) };
    case 'url':
      return { planned, artifact: await fetchUrl(context, planned) };
  }
}

function layOut(
  { directory, metadata, planned }: PipPackage,
  fetched: ReadonlyMap<Planned, Fetched>,
  layout: BundleLayout,
): ResolvedPipPackage {
  const files = planned.flatMap((one) => resolvedFiles(fetched.get(one)!));
  for (const { artifact, bundlePath, name, version } of files) {
    layout.add(bundlePath, artifact, `${name} ${version}`);
  }
  return { directory, metadata, files };
}

function resolvedFiles(fetched: Fetched): ResolvedFile[] {
  const { planned } = fetched;
  if ('artifact' in fetched) {
    const { name } = fetched.planned.requirement;
    const version = reportedVersion(fetched.planned);
    const bundlePath = directPath(fetched.planned);
    return [
      {
        planned,
        name,
        version,
        isWheel: bundlePath.endsWith('.whl'),
        artifact: fetched.artifact,
        bundlePath,
      },
    ];
  }
  // An sdist's own name and version are what is reported; the names of wheels are spelt differently.
  const named = (fetched.files.find(({ distribution }) => distribution.kind === 'sdist') ?? fetched.files[0]!)
    .distribution;
  return fetched.files.map(({ file, distribution, artifact }) => ({
    planned,
    name: named.name,
    version: named.version,
    isWheel: distribution.kind === 'wheel',
    artifact,
    bundlePath: indexFilePath(distribution.name, file.fileName),
  }));
}

function directPath(planned: PlannedGit | PlannedUrl): string {
  if (planned.kind === 'vcs') return gitArchivePath(planned.reference.url, planned.reference.commit);
  const { digest, extension, url } = planned.reference;
  return urlArchivePath(planned.requirement.name, digest, extension, url);
}

/** prefetch.md 5.1: what is reported as the version of git and URL dependencies. */
function reportedVersion(planned: PlannedGit | PlannedUrl): string {
  if (planned.kind === 'vcs') {
    const { url, commit } = planned.reference;
    return `git+${withoutCredentials(url)}@${commit}`;
  }
  const { requirement, reference } = planned;
  const hash = requirement.url.indexOf('#');
  const fragment = hash < 0 ? '' : requirement.url.slice(hash + 1);
  const parts = [
    ...(fragment === '' ? [] : [fragment]),
    ...(reference.hashFromOption ? [`cachito_hash=${requirement.hashes[0]}`] : []),
  ];
  return `${withoutCredentials(reference.url)}#${parts.join('&')}`;
}

function redirect(fetched: Fetched): Redirected[] {
  if (!('artifact' in fetched)) return [];
  const { planned, artifact } = fetched;
  return [{ planned, artifact, bundlePath: directPath(planned) }];
}

/** cachito.md 1.6. What is needed to build and to run is reported for both. */
function report({ directory, metadata, files }: ResolvedPipPackage): ResolvedPackage {
  const dependencies = files.map(
    ({ name, version, planned: { dev } }): Dependency => ({
      type: 'pip',
      name,
      version,
      dev,
      replaces: null,
    }),
  );
  return {
    type: 'pip',
    ...metadata,
    path: directory,
    dependencies: uniqueDependencies([{ dependencies }]),
  };
}

/** Archives with git directories are not the same everywhere. */
function markVarying(
  { request }: ResolveContext,
  files: readonly BundleFile[],
  packages: readonly ResolvedPipPackage[],
): BundleFile[] {
  if (!request.flags.has('include-git-dir')) return [...files];
  const ofGit = packages.flatMap((one) => one.files).filter(({ planned }) => planned.kind === 'vcs');
  const varying = new Set(ofGit.map(({ bundlePath }) => bundlePath));
  return files.map((file) => (varying.has(file.path) ? { ...file, varies: true } : file));
}

async function withIndexPage({ blobs }: ResolveContext, files: BundleFile[]): Promise<BundleFile[]> {
  if (files.length === 0) return files;
  const stored = await blobs.write(renderIndexPage(files), { durability: 'batch' });
  const page: BundleFile = { path: INDEX_PAGE, mode: 0o644, ...stored };
  if (files.some(({ varies }) => varies)) page.varies = true;
  return [...files, page].sort((a, b) => (a.path < b.path ? -1 : 1));
}
