import hostedGitInfo from 'hosted-git-info';
import type { FileDepsAllowlist } from '../../domain/config.ts';
import { InvalidFileFormat, InvalidRepoStructure, UnsupportedFeature } from '../../domain/errors.ts';
import type { ExpectedDigest } from '../downloads/artifact-store.ts';
import { maskCredentials } from '../downloads/mask-credentials.ts';
import type { GitShorthand, LockedDependency, LockedPackage } from './dependency.ts';
import { inRegistry, isPublicRegistry, type NpmRegistries } from './registries.ts';

export interface ClassificationRules {
  registries: NpmRegistries;
  /** Also believe the registries that are configured on this machine (prefetch.md 3.3). */
  configuredRegistries: boolean;
  fileDepsAllowlist: FileDepsAllowlist;
}

const GIT_SCHEMES = [
  'git://',
  'git+http://',
  'git+https://',
  'git+ssh://',
  'github:',
  'bitbucket:',
  'gitlab:',
];
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i;

export function isFromRegistry(source: string, entry: LockedPackage, rules: ClassificationRules): boolean {
  if (!URL.canParse(source)) return false;
  const url = new URL(source);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return false;
  if (isPublicRegistry(url)) return true;
  return rules.configuredRegistries && inRegistry(rules.registries, entry.name, url);
}

/** A dependency on a git repository or a URL of no registry. Throws the contract's refusals (prefetch.md 3.1). */
export function externalDependency<Entry extends LockedPackage>(
  entry: Entry,
  source: string,
  expected: readonly ExpectedDigest[],
): LockedDependency<Entry> {
  const described = describe(entry.name, source);
  if (GIT_SCHEMES.some((scheme) => source.startsWith(scheme))) return gitDependency(entry, source, described);
  if (/^https?:\/\//i.test(source) && URL.canParse(source)) {
    if (expected.length === 0) throw missingIntegrity(described);
    return { kind: 'http', entry, expected, version: maskCredentials(source), url: source };
  }
  throw unsupportedLocation(described);
}

/** How texts name a dependency. */
export function describe(name: string, source: string): string {
  return `${name}@${maskCredentials(source)}`;
}

export function missingIntegrity(described: string): InvalidFileFormat {
  return new InvalidFileFormat(
    'missing-checksum',
    `The dependency ${described} is missing the integrity value. ` +
      'Is the "integrity" key missing in your lockfile?',
  );
}

export function unsupportedLocation(described: string): UnsupportedFeature {
  return new UnsupportedFeature(
    'unsupported-feature',
    `The dependency ${described} is hosted in an unsupported location`,
  );
}

/** Whether the operator lets a `file:` dependency of a package through. */
export function isAllowedFileDependency(
  allowlist: FileDepsAllowlist,
  packageName: string | null,
  dependencyName: string,
): boolean {
  return (
    packageName !== null &&
    Object.hasOwn(allowlist, packageName) &&
    allowlist[packageName]!.includes(dependencyName)
  );
}

export function fileDependencyRefused(name: string, source: string): InvalidRepoStructure {
  return new InvalidRepoStructure(
    'package-rejected',
    `${name}@${source} is a 'file:' dependency. File dependencies are allowed if: ` +
      'a) the dependency is declared as a workspace in package.json or ' +
      'b) the dependency is present in the server-side allowlist.',
  );
}

function gitDependency<Entry extends LockedPackage>(
  entry: Entry,
  source: string,
  described: string,
): LockedDependency<Entry> {
  const at = source.indexOf('#');
  const commit = at < 0 ? '' : source.slice(at + 1);
  const shorthand = gitShorthand(source.slice(0, at));
  const url = gitUrl(source);
  if (!COMMIT.test(commit) || url === null) {
    throw new InvalidFileFormat(
      'invalid-vcs-reference',
      `The url for the dependency ${described} was in an unexpected format (expected <git_url>#<commit_hash>)`,
    );
  }
  // git dependencies are verified by their commit; what npm 6 wrote as integrity is of its own repacking.
  const version = maskCredentials(source);
  return { kind: 'git', entry, expected: [], version, url, commit: commit.toLowerCase(), shorthand };
}

function gitShorthand(text: string): GitShorthand | null {
  const match = /^(github|bitbucket|gitlab):([^:@]+)$/.exec(text);
  return match ? { host: match[1]!, repositoryPath: match[2]! } : null;
}

/** The URL that git understands, or null. */
function gitUrl(source: string): string | null {
  const url = source.slice(0, source.indexOf('#'));
  if (!/^(?:github|bitbucket|gitlab):/.test(url)) {
    // git+ssh://git@host:ns/repo is how npm 6 joined the scp form with a scheme.
    return url.replace(/^git\+/, '').replace(/^(ssh:\/\/[^/:]+):(?=[^/\d])/, '$1/') || null;
  }
  return hostedGitInfo.fromUrl(url)?.https({ noGitPlus: true, noCommittish: true }) ?? null;
}
