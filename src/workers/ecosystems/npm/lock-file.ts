import { posix } from 'node:path';
import { ValidationError } from '../../../domain/errors.ts';
import {
  isCleanText,
  isObject,
  type JsonObject,
  optionalText,
  parseJsonObject,
  requiredText,
  unexpected,
} from '../../javascript-packages/json-object.ts';
import { isPackageName, isVersion } from '../../javascript-packages/package-name.ts';
import { readWorkspaces } from '../../javascript-packages/workspace-glob.ts';

/** A lock file of any version in one form (prefetch.md 3.1). */
export interface LockFile {
  /** Relative to the source root, e.g. `client/package-lock.json`. */
  path: string;
  lockfileVersion: 1 | 2 | 3;
  /** Of the main package. */
  name: string;
  version: string;
  license: string | null;
  /** Whether a folder, relative to the lock file, is named by the root's `workspaces`. */
  isWorkspace(folder: string): boolean;
  /** The parsed file. Rewriting works on a copy of it. */
  document: JsonObject;
  entries: LockEntry[];
  /** Where an installed folder is a link: from its location to the linked folder's. */
  links: ReadonlyMap<string, string>;
  /** What the main package depends on; null in version 1, where only package.json says so. */
  rootDependencies: string[] | null;
}

/** The lock file of whatever package: only the contract wants them to have names and versions. */
export type AnyLockFile = Omit<LockFile, 'name' | 'version'> & {
  name: string | null;
  version: string | null;
};

/** One installed package: an item of `packages`, or of the nested `dependencies` of version 1. */
export interface LockEntry {
  /** Where npm puts it, relative to the lock file: `node_modules/a/node_modules/b`, `packages/client`. */
  location: string;
  /** The package's own name; `alias` is the folder's when that differs. */
  name: string;
  alias: string | null;
  /** A semver version; null when the lock has none (git and URL dependencies of version 1). */
  version: string | null;
  /** What the lock gives as the source: `resolved`, or a `version` of version 1 that is no version. */
  source: string | null;
  integrity: string | null;
  bundled: boolean;
  dev: boolean;
  hasInstallScript: boolean;
  license: string | null;
  /** Names of folders, as written in the lock. Optional and peer dependencies are included. */
  dependencies: string[];
}

const DEPENDENCY_FIELDS = ['dependencies', 'optionalDependencies', 'peerDependencies'] as const;
const NODE_MODULES = 'node_modules/';

/** Throws ValidationError for anything that is not a lock file of version 1, 2 or 3. */
export function parseLockFile(path: string, content: Buffer): LockFile {
  const document = parseJsonObject(path, content);
  const name = requiredText(path, document, 'name');
  const version = requiredText(path, document, 'version');
  if (name === '') throw unexpected(path, "'name' is empty");
  return { ...readContents(path, document), name, version };
}

export function parseAnyLockFile(path: string, content: Buffer): AnyLockFile {
  const document = parseJsonObject(path, content);
  const { name, version } = document;
  return {
    ...readContents(path, document),
    name: typeof name === 'string' && isPackageName(name) ? name : null,
    version: typeof version === 'string' && isVersion(version) ? version : null,
  };
}

function readContents(path: string, document: JsonObject): Omit<LockFile, 'name' | 'version'> {
  const lockfileVersion = lockfileVersionOf(path, document);
  const shared = { path, lockfileVersion, document };
  return lockfileVersion === 1
    ? {
        ...shared,
        license: null,
        isWorkspace: () => false,
        rootDependencies: null,
        ...readTree(path, document),
      }
    : { ...shared, ...readPackages(path, document) };
}

/** Finds what a dependency name means at a location, by node's rules: the nearest `node_modules` upwards. */
export function createDependencyLookup(
  lock: Pick<LockFile, 'entries' | 'links'>,
): (location: string, name: string) => LockEntry | null {
  const entries = new Map(lock.entries.map((entry) => [entry.location, entry]));
  return (location, name) => {
    for (let folder = location; ; folder = parentFolder(folder)) {
      const candidate = folder === '' ? `${NODE_MODULES}${name}` : `${folder}/${NODE_MODULES}${name}`;
      const found = entries.get(lock.links.get(candidate) ?? candidate);
      if (found) return found;
      if (folder === '') return null;
    }
  };
}

/** The next folder upwards that can have a `node_modules` of its own. */
function parentFolder(folder: string): string {
  const parent = posix.dirname(folder);
  if (parent === '.' || parent === '/') return '';
  return posix.basename(parent) === 'node_modules' ? parentFolder(parent) : parent;
}

function lockfileVersionOf(path: string, document: JsonObject): 1 | 2 | 3 {
  const { lockfileVersion = 1 } = document;
  if (lockfileVersion === 1 || lockfileVersion === 2 || lockfileVersion === 3) return lockfileVersion;
  throw new ValidationError(
    'unsupported-feature',
    `lockfileVersion ${JSON.stringify(lockfileVersion)} from ${path} is not supported ` +
      'Please use a supported lockfileVersion, which are versions 1, 2, and 3',
  );
}

type Contents = Pick<LockFile, 'entries' | 'links'>;

function readPackages(
  path: string,
  document: JsonObject,
): Contents & Pick<LockFile, 'license' | 'isWorkspace' | 'rootDependencies'> {
  const packages = document.packages;
  if (packages === undefined) throw unexpected(path, "missing key: 'packages'");
  if (!isObject(packages)) throw unexpected(path, "'packages' is not an object");
  const entries: LockEntry[] = [];
  const links = new Map<string, string>();
  let root: JsonObject = {};
  for (const [location, node] of Object.entries(packages)) {
    if (!isObject(node)) throw unexpected(path, `packages['${location}'] is not an object`);
    if (location === '') {
      root = node;
      continue;
    }
    assertLocation(path, location);
    if (node.link === true) {
      const target = optionalText(path, location, node, 'resolved');
      if (target !== null) links.set(location, posix.normalize(target));
      continue;
    }
    entries.push(packagesEntry(path, location, node));
  }
  return {
    entries,
    links,
    license: licenseOf(root),
    isWorkspace: readWorkspaces(path, root),
    rootDependencies: [
      ...new Set([...dependencyNames(root), ...keysOf(root, 'devDependencies'), ...workspaceLinks(links)]),
    ],
  };
}

/** Linked folders at the top are workspaces: the root depends on them without saying so. */
function workspaceLinks(links: ReadonlyMap<string, string>): string[] {
  return [...links.keys()]
    .map((location) => location.slice(NODE_MODULES.length))
    .filter((name) => !name.includes(NODE_MODULES));
}

function packagesEntry(path: string, location: string, node: JsonObject): LockEntry {
  const folder = folderName(location);
  const name = optionalText(path, location, node, 'name') ?? folder;
  const version = optionalText(path, location, node, 'version');
  const installed = isInstalled(location);
  assertName(path, location, name);
  return {
    location,
    name,
    alias: installed && name !== folder ? folder : null,
    version: version !== null && isVersion(version) ? version : null,
    source: optionalText(path, location, node, 'resolved') ?? (installed ? null : `file:${location}`),
    integrity: optionalText(path, location, node, 'integrity'),
    bundled: node.inBundle === true || node.bundled === true,
    dev: node.dev === true,
    hasInstallScript: node.hasInstallScript === true,
    license: licenseOf(node),
    dependencies: dependencyNames(node),
  };
}

/** Version 1: a tree of `dependencies`, walked without recursion. */
function readTree(path: string, document: JsonObject): Contents {
  const entries: LockEntry[] = [];
  for (const { location, name, node } of walkTree(path, document)) {
    entries.push(treeEntry(path, location, name, node));
  }
  return { entries, links: new Map() };
}

export interface TreeNode {
  location: string;
  /** The key: the folder's name. */
  name: string;
  node: JsonObject;
}

/** All nodes of the `dependencies` tree of versions 1 and 2, parents first, in the order of the file. */
export function* walkTree(path: string, document: JsonObject): Generator<TreeNode> {
  const waiting: { prefix: string; nodes: Iterator<[string, unknown]> }[] = [
    { prefix: '', nodes: childrenOf(path, '', document) },
  ];
  while (waiting.length > 0) {
    const { prefix, nodes } = waiting.at(-1)!;
    const next = nodes.next();
    if (next.done) {
      waiting.pop();
      continue;
    }
    const [name, node] = next.value;
    const location = `${prefix}${NODE_MODULES}${name}`;
    if (!isObject(node)) throw unexpected(path, `${location} is not an object`);
    yield { location, name, node };
    if (node.dependencies !== undefined) {
      waiting.push({ prefix: `${location}/`, nodes: childrenOf(path, location, node) });
    }
  }
}

function childrenOf(path: string, location: string, node: JsonObject): Iterator<[string, unknown]> {
  const { dependencies = {} } = node;
  if (!isObject(dependencies)) throw unexpected(path, `'dependencies' of '${location}' is not an object`);
  return Object.entries(dependencies)[Symbol.iterator]();
}

function treeEntry(path: string, location: string, folder: string, node: JsonObject): LockEntry {
  const written = optionalText(path, location, node, 'version');
  const resolved = optionalText(path, location, node, 'resolved');
  const target = written === null ? null : aliasTarget(written);
  const name = target?.name ?? folder;
  const version = target?.version ?? written;
  const isPlain = version !== null && isVersion(version);
  assertName(path, location, folder);
  assertName(path, location, name);
  return {
    location,
    name,
    alias: name === folder ? null : folder,
    version: isPlain ? version : null,
    source: isPlain ? resolved : written,
    integrity: optionalText(path, location, node, 'integrity'),
    bundled: node.bundled === true || node.inBundle === true,
    dev: node.dev === true,
    hasInstallScript: node.hasInstallScript === true,
    license: licenseOf(node),
    dependencies: keysOf(node, 'requires'),
  };
}

/** `npm:name@version`, how version 1 writes an alias. */
function aliasTarget(text: string): { name: string; version: string } | null {
  const match = /^npm:((?:@[^/@]+\/)?[^/@]+)@(.+)$/.exec(text);
  return match ? { name: match[1]!, version: match[2]! } : null;
}

/** Whether a location is below a `node_modules`, so that npm fills it, and not a folder of the source. */
function isInstalled(location: string): boolean {
  return location.startsWith(NODE_MODULES) || location.includes(`/${NODE_MODULES}`);
}

/** The last part of a location, with its scope. */
function folderName(location: string): string {
  const parts = location.split('/');
  const last = parts.at(-1)!;
  const scope = parts.at(-2);
  return scope?.startsWith('@') ? `${scope}/${last}` : last;
}

function dependencyNames(node: JsonObject): string[] {
  return [...new Set(DEPENDENCY_FIELDS.flatMap((field) => keysOf(node, field)))];
}

function keysOf(node: JsonObject, field: string): string[] {
  const value = node[field];
  return isObject(value) ? Object.keys(value) : [];
}

function licenseOf(node: JsonObject): string | null {
  const { license } = node;
  const name = isObject(license) ? license.type : license;
  return isCleanText(name) && name !== '' ? name : null;
}

function assertName(path: string, location: string, name: string): void {
  if (!isPackageName(name)) {
    throw unexpected(path, `'${location}' has the invalid package name ${JSON.stringify(name)}`);
  }
}

function assertLocation(path: string, location: string): void {
  const parts = location.split('/');
  // A workspace may lie beside the lock file (`../client`); whether that is inside the source is checked with its kind.
  const climbs = parts.findIndex((part) => part !== '..');
  const isClean = parts.slice(climbs).every((part) => part !== '' && part !== '.' && part !== '..');
  if (climbs < 0 || !isClean || !isCleanText(location) || /\\|^[A-Za-z]:/.test(location)) {
    throw unexpected(path, `invalid location ${JSON.stringify(location)}`);
  }
}
