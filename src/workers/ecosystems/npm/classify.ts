import { posix } from 'node:path';
import hostedGitInfo from 'hosted-git-info';
import { InvalidFileFormat, InvalidRepoStructure, UnsupportedFeature } from '../../../domain/errors.ts';
import type { ExpectedDigest } from '../../downloads/artifact-store.ts';
import { maskCredentials } from '../../downloads/mask-credentials.ts';
import { expectedDigests } from './integrity.ts';
import type { LockEntry, LockFile } from './lock-file.ts';
import { inRegistry, isPublicRegistry, type NpmRegistries } from './registries.ts';

/** What a lock entry is (the table of prefetch.md 3.1). `version` is the one that is reported. */
export type Classified = { entry: LockEntry; version: string; expected: readonly ExpectedDigest[] } & (
  | { kind: 'registry' | 'bundled'; fetchVersion: string }
  | { kind: 'file'; path: string }
  | { kind: 'git'; url: string; commit: string; shorthand: GitShorthand | null }
  | { kind: 'http'; url: string }
);

/** `github:ns/repo`: names the folder in the bundle. */
interface GitShorthand {
  host: string;
  repositoryPath: string;
}

export interface ClassificationRules {
  registries: NpmRegistries;
  /** Also believe the registries that are configured on this machine (prefetch.md 3.3). */
  configuredRegistries: boolean;
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

/** Throws the contract's refusals (prefetch.md 3.1). */
export function classify(lock: LockFile, entry: LockEntry, rules: ClassificationRules): Classified {
  const { source, version } = entry;
  const described = `${entry.name}@${maskCredentials(source ?? version ?? '')}`;
  const expected = expectedDigests(entry.integrity, described);
  if (source === null) {
    if (entry.bundled && !isBundledByProject(entry))
      return { kind: 'bundled', entry, expected, version: version ?? '', fetchVersion: version ?? '' };
    if (version === null) throw unsupported(described);
    return { kind: 'registry', entry, expected, version, fetchVersion: version };
  }
  if (isFromRegistry(source, entry, rules)) {
    if (version === null) throw unsupported(described);
    return { kind: 'registry', entry, expected, version, fetchVersion: version };
  }
  if (source.startsWith('file:')) return fileDependency(lock, entry, source, expected);
  if (GIT_SCHEMES.some((scheme) => source.startsWith(scheme))) return gitDependency(entry, source, described);
  if (/^https?:\/\//i.test(source) && URL.canParse(source)) {
    if (expected.length === 0) throw missingIntegrity(described);
    return { kind: 'http', entry, expected, version: maskCredentials(source), url: source };
  }
  throw unsupported(described);
}

/**
 * The project's own `bundleDependencies` are in no tarball yet: npm fetches them like others. They have an integrity and
 * lie in no other package; `resolved` may be left out as in any entry.
 */
function isBundledByProject({ integrity, location }: LockEntry): boolean {
  return integrity !== null && location.split('node_modules/').length === 2;
}

export function missingIntegrity(described: string): InvalidFileFormat {
  return new InvalidFileFormat(
    'missing-checksum',
    `The dependency ${described} is missing the integrity value. ` +
      'Is the "integrity" key missing in your lockfile?',
  );
}

function isFromRegistry(source: string, entry: LockEntry, rules: ClassificationRules): boolean {
  if (!URL.canParse(source)) return false;
  const url = new URL(source);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return false;
  if (isPublicRegistry(url)) return true;
  return rules.configuredRegistries && inRegistry(rules.registries, entry.name, url);
}

function fileDependency(
  lock: LockFile,
  entry: LockEntry,
  source: string,
  expected: readonly ExpectedDigest[],
): Classified {
  const path = source.slice('file:'.length);
  if (!isWorkspace(lock, path)) {
    throw new InvalidRepoStructure(
      'package-rejected',
      `${entry.name}@${source} is a 'file:' dependency. File dependencies are allowed if: ` +
        'a) the dependency is declared as a workspace in package.json or ' +
        'b) the dependency is present in the server-side allowlist.',
    );
  }
  return { kind: 'file', entry, expected, version: source, path: posix.normalize(path) };
}

/** Whether a path is a workspace of the lock's root, inside the source. */
function isWorkspace(lock: LockFile, path: string): boolean {
  const folder = posix.normalize(path).replace(/\/$/, '');
  const fromSource = posix.join(posix.dirname(lock.path), folder);
  if (posix.isAbsolute(path) || fromSource === '..' || fromSource.startsWith('../') || path.includes('\0')) {
    return false;
  }
  return lock.isWorkspace(folder);
}

function gitDependency(entry: LockEntry, source: string, described: string): Classified {
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

function unsupported(described: string): UnsupportedFeature {
  return new UnsupportedFeature(
    'unsupported-feature',
    `The dependency ${described} is hosted in an unsupported location`,
  );
}
