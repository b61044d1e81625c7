import { posix } from 'node:path';
import { DomainError } from '../errors.ts';
import type { Dependency, PackageName, ResolvedPackage } from '../packages/package.ts';
import { withoutCredentials } from '../sources/public-url.ts';

/** Where the source of a request is. */
export interface RequestSource {
  /** As submitted; null for an uploaded archive. */
  repository: string | null;
  /** Full commit; the tree id of an uploaded archive. */
  ref: string;
}

/** The purls of content manifests (cachito.md 5.3): contract, and not those of the native SBOM (prefetch.md 13.2). */
export function packagePurl(one: ResolvedPackage, source: RequestSource): string {
  switch (one.type) {
    case 'gomod':
    case 'go-package':
      return goPurl(one.name, one.version);
    case 'npm':
    case 'yarn':
    case 'pip':
    case 'rubygems':
      return withSubpath(requestPurl(one.name, source), one.path);
    case 'git-submodule':
      return submodulePurl(one);
    default:
      throw undefinedType(one.type);
  }
}

/** `owner`: the package that has the dependency; for Go modules' dependencies the module. */
export function dependencyPurl(
  dependency: Dependency,
  owner: ResolvedPackage,
  source: RequestSource,
  modules: GoModules,
): string {
  switch (dependency.type) {
    case 'gomod':
    case 'go-package':
      return isLocal(dependency)
        ? localGoPurl(dependency, owner, modules)
        : goPurl(dependency.name, dependency.version);
    case 'npm':
    case 'yarn':
      return npmPurl(dependency);
    case 'pip':
      return pipPurl(dependency);
    case 'rubygems':
      return gemPurl(dependency, owner, source);
    case 'git-submodule':
      return submodulePurl(dependency);
    default:
      throw undefinedType(dependency.type);
  }
}

// --- version control ------------------------------------------------------------------------------------------------

const HOSTS: Record<string, string> = { 'github.com': 'github', 'bitbucket.org': 'bitbucket' };

/** `pkg:github/…` and `pkg:bitbucket/…` for the hosts that have a purl type, else `pkg:generic/…?vcs_url=…`. */
function vcsPurl(name: string, url: string, ref: string): string {
  const repository = url.replace(/\/+$/, '');
  const [, host = '', path = ''] =
    /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#]*@)?([^/?#:]*)(?::\d*)?([^?#]*)/i.exec(repository) ?? [];
  const type = HOSTS[host.toLowerCase()];
  const [, namespace, project] = /^\/+(.+)\/(.+?)(?:\.git)?$/.exec(path) ?? [];
  // A path of one part has no namespace: the generic form says where it is all the same.
  if (type === undefined || namespace === undefined || project === undefined) {
    return `pkg:generic/${name}?vcs_url=${encoded(`${withoutCredentials(repository)}@${ref}`)}`;
  }
  return `pkg:${type}/${namespace.toLowerCase()}/${project.toLowerCase()}@${ref}`;
}

function requestPurl(name: string, { repository, ref }: RequestSource): string {
  return repository === null ? `pkg:generic/${name}@${ref}` : vcsPurl(name, repository, ref);
}

function withSubpath(purl: string, path: string): string {
  const subpath = posix.normalize(path).replace(/\/$/, '');
  return subpath === '.' ? purl : `${purl}#${subpath}`;
}

/** `<url>#<commit>` */
function submodulePurl({ name, version }: PackageName): string {
  const hash = version?.lastIndexOf('#') ?? -1;
  if (version === null || hash < 0) throw unconvertible(version);
  return vcsPurl(name, version.slice(0, hash), version.slice(hash + 1));
}

/** `git+<url>@<commit>`; null for other versions. */
function gitPurl({ name, version }: PackageName): string | null {
  const [, url, commit] = /^git\+(.+)@([^@]+)$/.exec(version ?? '') ?? [];
  return url === undefined || commit === undefined ? null : vcsPurl(name, url, commit);
}

// --- Go -------------------------------------------------------------------------------------------------------------

/** The Go modules of one request. */
export class GoModules {
  readonly #modules: ReadonlyMap<string, ResolvedPackage>;

  constructor(packages: readonly ResolvedPackage[]) {
    this.#modules = new Map(packages.filter(({ type }) => type === 'gomod').map((one) => [one.name, one]));
  }

  /** The module with the longest name that equals the path or is a `/` prefix of it. */
  containing(path: string): ResolvedPackage | null {
    for (let name = path; name !== ''; name = name.slice(0, Math.max(name.lastIndexOf('/'), 0))) {
      const found = this.#modules.get(name);
      if (found) return found;
    }
    return null;
  }
}

function goPurl(name: string, version: string | null): string {
  return `pkg:golang/${encoded(name)}${version === null ? '' : `@${version}`}`;
}

function isLocal({ version }: PackageName): boolean {
  return version?.startsWith('.') ?? false;
}

/** A dependency in a directory of the source: named by the module of this request that it belongs to. */
function localGoPurl(dependency: Dependency, owner: ResolvedPackage, modules: GoModules): string {
  const named = modules.containing(dependency.name);
  if (named && dependency.type === 'go-package') return goPurl(dependency.name, named.version);
  if (named) return inModule(named, dependency.name);
  const parent = owner.type === 'gomod' ? owner : (modules.containing(owner.name) ?? owner);
  const path = posix.normalize(`${parent.name}/${dependency.version}`);
  const holder = modules.containing(path);
  // Requests in which no module holds it are refused (prefetch.md 2.1); those of J21 are named by their parent.
  return holder
    ? inModule(holder, path)
    : withSubpath(goPurl(parent.name, parent.version), dependency.version!);
}

function inModule({ name, version }: ResolvedPackage, path: string): string {
  return withSubpath(goPurl(name, version), path.slice(name.length + 1) || '.');
}

// --- npm, yarn ------------------------------------------------------------------------------------------------------

const GIT_SCHEMES = new Set(['git', 'git+http', 'git+https', 'git+ssh']);
const FORGES = new Set(['github', 'gitlab', 'bitbucket']);

function npmPurl({ name, version }: PackageName): string {
  const encodedName = encoded(name).replaceAll('%2F', '/');
  const [, scheme, authority, rest] = /^([^:]+):(\/\/)?(.*)$/s.exec(version ?? '') ?? [];
  if (version === null) return `pkg:npm/${encodedName}`;
  if (scheme === undefined || rest === undefined) return `pkg:npm/${encodedName}@${version}`;
  if (scheme === 'file') {
    return `pkg:generic/${encodedName}?file=${encoded(version.slice('file:'.length))}`;
  }
  if (authority === undefined) {
    if (!FORGES.has(scheme)) throw unconvertible(version);
    return `pkg:${scheme}/${rest.replace('#', '@')}`;
  }
  if (GIT_SCHEMES.has(scheme)) return `pkg:generic/${encodedName}?vcs_url=${encoded(version)}`;
  if (scheme === 'http' || scheme === 'https') {
    return `pkg:generic/${encodedName}?download_url=${encoded(version)}`;
  }
  throw new DomainError('not-implemented', `Unknown protocol in npm package version: ${version}`);
}

// --- pip, rubygems --------------------------------------------------------------------------------------------------

function pipPurl(dependency: PackageName): string {
  const { name, version } = dependency;
  const git = gitPurl(dependency);
  if (git !== null) return git;
  if (version === null || !/^[a-z][a-z0-9+.-]*:\/\//i.test(version)) {
    const safeName = name.replace(/[^A-Za-z0-9.]+/g, '-').toLowerCase();
    return `pkg:pypi/${safeName}${version === null ? '' : `@${version}`}`;
  }
  const fragment = version.slice(version.indexOf('#') + 1);
  const checksum = new URLSearchParams(version.includes('#') ? fragment : '').get('cachito_hash');
  const qualifier = checksum === null ? '' : `&checksum=${checksum}`;
  return `pkg:generic/${name}?download_url=${encoded(version)}${qualifier}`;
}

function gemPurl(dependency: PackageName, owner: ResolvedPackage, source: RequestSource): string {
  const { name, version } = dependency;
  const git = gitPurl(dependency);
  if (git !== null) return git;
  if (isLocal(dependency)) {
    return withSubpath(requestPurl(owner.name, source), posix.join(owner.path, version!));
  }
  return `pkg:gem/${name}${version === null ? '' : `@${version}`}`;
}

// --- texts ----------------------------------------------------------------------------------------------------------

/** Everything but letters, digits and `_.-~`. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function undefinedType(type: string): DomainError {
  return new DomainError('not-implemented', `The PURL spec is not defined for ${type} packages`);
}

function unconvertible(version: string | null): DomainError {
  return new DomainError('not-implemented', `Could not convert version ${version} to purl`);
}
