import { posix } from 'node:path';
import type { ConfigurationFile } from '../../../domain/bundles/bundle-file.ts';
import { registryUrl } from '../../../domain/package-registries/registry-address.ts';
import { copyOf, isObject, type JsonObject } from '../../javascript-packages/json-object.ts';
import type { Replacement } from '../../javascript-packages/placement.ts';
import { DEFAULT_REGISTRY } from '../../javascript-packages/registries.ts';
import { createDependencyLookup, type LockEntry, type LockFile, walkTree } from './lock-file.ts';

const REQUIREMENT_FIELDS = [
  'dependencies',
  'devDependencies',
  'optionalDependencies',
  'peerDependencies',
] as const;
/** Where npm fetches a tarball; null: where the lock says. */
export type TarballAddress = (entry: LockEntry, replacement: Replacement) => string | null;

type Replacements = ReadonlyMap<string, Replacement>;
/** Name of the version that a dependency of a location gets; null when it stays as it is. */
type NewVersion = (location: string, name: string) => string | null;

/** In the bundle, relative to the lock file (cachito.md 4.5). */
export function offlineAddress(lock: LockFile): TarballAddress {
  const directory = posix.join('app', posix.dirname(lock.path));
  return (_, { bundlePath }) => `file:${posix.relative(directory, bundlePath)}`;
}

/**
 * At the per-request registry (prefetch.md 3.1). What the lock has on npm's default registry stays: npm looks there for
 * such packages at the registry that `.npmrc` names. Other names of that registry it does not know.
 */
export const registryTarball: TarballAddress = ({ name, source }, { version, integrity }) => {
  const shortName = name.slice(name.indexOf('/') + 1);
  if (integrity === null && (source === null || isDefaultTarball(source, name))) return null;
  return `${registryUrl('npm')}${name}/-/${shortName}-${version}.tgz`;
};

/** The lock file with tarballs elsewhere; null when nothing changes. */
export function rewriteLockFile(
  lock: LockFile,
  replacements: Replacements,
  addressOf: TarballAddress,
): ConfigurationFile | null {
  const addresses = addressesOf(lock, replacements, addressOf);
  if (addresses.size === 0) return null;
  const document = copyOf(lock.document);
  const newVersion = newVersions(lock, replacements);
  const replaceAt = (location: string, node: JsonObject) => {
    const address = addresses.get(location);
    if (address !== undefined) replaceSource(node, replacements.get(location)!, address);
  };
  if (isObject(document.packages)) {
    for (const [location, node] of Object.entries(document.packages)) {
      if (!isObject(node) || node.link === true) continue;
      replaceAt(location, node);
      for (const field of REQUIREMENT_FIELDS) replaceRequirements(node[field], location, newVersion);
    }
  }
  for (const { location: treeLocation, node } of walkTree(lock.path, document)) {
    const location = installedLocation(lock, treeLocation);
    replaceAt(location, node);
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
  const document = copyOf(manifest);
  const newVersion = newVersions(lock, replacements);
  const changes = REQUIREMENT_FIELDS.map((field) =>
    replaceRequirements(document[field], location, newVersion),
  );
  return changes.includes(true) ? { path: `app/${path}`, content: formatJson(document) } : null;
}

/** By location; without those that stay as they are. */
function addressesOf(
  lock: LockFile,
  replacements: Replacements,
  addressOf: TarballAddress,
): Map<string, string> {
  const addresses = new Map<string, string>();
  for (const entry of lock.entries) {
    const replacement = replacements.get(entry.location);
    const address = replacement ? addressOf(entry, replacement) : null;
    if (address !== null) addresses.set(entry.location, address);
  }
  return addresses;
}

function isDefaultTarball(source: string, name: string): boolean {
  const { host, pathname } = new URL(source);
  const path = pathname.replace(/^\/%40/, '/@').replace(/%2f/i, '/');
  return host === DEFAULT_HOST && path.startsWith(`/${name}/-/`);
}

const DEFAULT_HOST = new URL(DEFAULT_REGISTRY).host;

function replaceSource(node: JsonObject, { version, integrity }: Replacement, address: string): void {
  node.resolved = address;
  if (integrity === null) return;
  node.version = version;
  node.integrity = integrity;
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
  const hasRepacked = [...replacements.values()].some(({ integrity }) => integrity !== null);
  if (!hasRepacked) return () => null;
  const lookup = createDependencyLookup(lock);
  return (location, name) => {
    const entry = lookup(location, name);
    const replacement = entry && replacements.get(entry.location);
    return replacement && replacement.integrity !== null ? replacement.version : null;
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
