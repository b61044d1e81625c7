import { posix } from 'node:path';
import type { ConfigurationFile, EnvironmentVariable } from '../../../domain/bundles/bundle-file.ts';
import { isObject, type JsonObject } from '../../javascript-packages/json-object.ts';
import { createDependencyLookup, type LockFile, walkTree } from './lock-file.ts';

/** What a lock entry becomes. */
export interface Replacement {
  /** Of the tarball, relative to the bundle root. */
  bundlePath: string;
  /** For repacked dependencies: the version and the sha512 of the new tarball. */
  repacked: { version: string; integrity: string } | null;
}

/** prefetch.md 3.1: keeps packages from downloading binaries while they install. */
export const ENVIRONMENT: readonly EnvironmentVariable[] = [
  { name: 'CHROMEDRIVER_SKIP_DOWNLOAD', value: 'true', kind: 'literal' },
  { name: 'CYPRESS_INSTALL_BINARY', value: '0', kind: 'literal' },
  { name: 'GECKODRIVER_SKIP_DOWNLOAD', value: 'true', kind: 'literal' },
  { name: 'SKIP_SASS_BINARY_DOWNLOAD_FOR_CI', value: 'true', kind: 'literal' },
];

const REQUIREMENT_FIELDS = [
  'dependencies',
  'devDependencies',
  'optionalDependencies',
  'peerDependencies',
] as const;
/** The lines of `.npmrc` (prefetch.md 3.1) that name no registry (cachito.md 4.5). */
const OFFLINE_NPMRC = ['fetch-retries=5', 'fetch-retry-factor=2', 'strict-ssl=true'];

type Replacements = ReadonlyMap<string, Replacement>;
/** Name of the version that a dependency of a location gets; null when it stays as it is. */
type NewVersion = (location: string, name: string) => string | null;

/** The lock file with every tarball pointing into the bundle (cachito.md 4.5); null when nothing changes. */
export function rewriteLockFile(lock: LockFile, replacements: Replacements): ConfigurationFile | null {
  if (replacements.size === 0) return null;
  const document = structuredClone(lock.document);
  const newVersion = newVersions(lock, replacements);
  const toTarball = (bundlePath: string) => {
    const directory = posix.join('app', posix.dirname(lock.path));
    return `file:${posix.relative(directory, bundlePath)}`;
  };
  if (isObject(document.packages)) {
    for (const [location, node] of Object.entries(document.packages)) {
      if (!isObject(node) || node.link === true) continue;
      replaceSource(node, replacements.get(location), toTarball);
      for (const field of REQUIREMENT_FIELDS) replaceRequirements(node[field], location, newVersion);
    }
  }
  for (const { location: treeLocation, node } of walkTree(lock.path, document)) {
    const location = installedLocation(lock, treeLocation);
    replaceSource(node, replacements.get(location), toTarball);
    replaceRequirements(node.requires, location, newVersion);
  }
  return { path: `app/${lock.path}`, content: formatJson(document) };
}

/**
 * A package.json whose dependencies are repacked asks for exactly the new versions; null when nothing changes.
 * `location`: of the package in the lock, empty for the main one.
 */
export function rewriteManifest(
  path: string,
  manifest: JsonObject,
  location: string,
  lock: LockFile,
  replacements: Replacements,
): ConfigurationFile | null {
  const document = structuredClone(manifest);
  const newVersion = newVersions(lock, replacements);
  const changes = REQUIREMENT_FIELDS.map((field) =>
    replaceRequirements(document[field], location, newVersion),
  );
  return changes.includes(true) ? { path: `app/${path}`, content: formatJson(document) } : null;
}

/** Takes the place of a `.npmrc` of the repository. */
export function offlineNpmrc(directory: string): ConfigurationFile {
  return {
    path: posix.join('app', directory, '.npmrc'),
    content: Buffer.from(OFFLINE_NPMRC.map((line) => `${line}\n`).join('')),
  };
}

/** The lines of a repository's `.npmrc` that are dropped, without their values. */
export function describeNpmrc(content: Buffer): string[] {
  return content
    .toString('utf8')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#') && !line.startsWith(';'))
    .map((line) => (line.includes('=') ? `${line.slice(0, line.indexOf('=')).trim()}=***` : '***'));
}

function replaceSource(
  node: JsonObject,
  replacement: Replacement | undefined,
  toTarball: (bundlePath: string) => string,
): void {
  if (!replacement) return;
  if (replacement.repacked) node.version = replacement.repacked.version;
  node.resolved = toTarball(replacement.bundlePath);
  if (!replacement.repacked) return;
  node.integrity = replacement.repacked.integrity;
  delete node.from;
}

function replaceRequirements(requirements: unknown, location: string, newVersion: NewVersion): boolean {
  if (!isObject(requirements)) return false;
  let changed = false;
  for (const name of Object.keys(requirements)) {
    const version = newVersion(location, name);
    if (version === null || requirements[name] === version) continue;
    requirements[name] = version;
    changed = true;
  }
  return changed;
}

/** By replacements, which belong to one lock file: its every workspace asks. */
const known = new WeakMap<Replacements, NewVersion>();

function newVersions(lock: LockFile, replacements: Replacements): NewVersion {
  const made = known.get(replacements) ?? makeNewVersions(lock, replacements);
  known.set(replacements, made);
  return made;
}

function makeNewVersions(lock: LockFile, replacements: Replacements): NewVersion {
  const hasRepacked = [...replacements.values()].some(({ repacked }) => repacked !== null);
  if (!hasRepacked) return () => null;
  const lookup = createDependencyLookup(lock);
  return (location, name) => {
    const entry = lookup(location, name);
    return (entry && replacements.get(entry.location)?.repacked?.version) ?? null;
  };
}

/** The `dependencies` tree of version 2 puts what is installed in a workspace below the workspace's link. */
function installedLocation(lock: LockFile, location: string): string {
  if (lock.links.size === 0) return location;
  for (let at = location.length; at > 0; at = location.lastIndexOf('/', at - 1)) {
    const target = lock.links.get(location.slice(0, at));
    if (target !== undefined) return `${target}${location.slice(at)}`;
  }
  return location;
}

/** cachito's form: two spaces, no newline at the end. */
function formatJson(document: JsonObject): Buffer {
  return Buffer.from(JSON.stringify(document, null, 2));
}
