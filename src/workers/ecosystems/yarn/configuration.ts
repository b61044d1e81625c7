import { posix } from 'node:path';
import type { ConfigurationFile } from '../../../domain/bundles/bundle-file.ts';
import { registryUrl } from '../../../domain/package-registries/registry-address.ts';
import { isObject, type JsonObject } from '../../javascript-packages/json-object.ts';
import type { Replacement } from '../../javascript-packages/placement.ts';
import { type LockEntry, requirementMaps, type YarnLock } from './lock-file.ts';
import { formatLockText, type LockBlock } from './lock-text.ts';
import { parsePattern } from './pattern.ts';
import { resolutionsOf } from './pattern-index.ts';
import { REQUIREMENT_FIELDS } from './project.ts';

export type Replacements = ReadonlyMap<LockEntry, Replacement>;
/** The address of a tarball, without its digest. */
export type TarballAddress = (entry: LockEntry, replacement: Replacement) => string;
/** By the requirements on repacked dependencies, as patterns: the version that is asked for instead. */
export type NewVersions = ReadonlyMap<string, string>;

/** In the bundle, relative to the lock file (cachito.md 4.5). */
export function offlineAddress(lockFile: string): TarballAddress {
  const directory = posix.join('app', posix.dirname(lockFile));
  return (_, { bundlePath }) => `file:${posix.relative(directory, bundlePath)}`;
}

/** At the per-request registry (prefetch.md 4.1). */
export const registryTarball: TarballAddress = ({ name }, { version }) =>
  `${registryUrl('yarn')}${name}/-/${name.slice(name.indexOf('/') + 1)}-${version}.tgz`;

export function newVersions(replacements: Replacements): NewVersions {
  const versions = new Map<string, string>();
  for (const [{ patterns }, { version, integrity }] of replacements) {
    if (integrity !== null) for (const pattern of patterns) versions.set(pattern, version);
  }
  return versions;
}

/** The lock file with every tarball elsewhere; null when nothing changes. */
export function rewriteLockFile(
  lock: YarnLock,
  replacements: Replacements,
  versions: NewVersions,
  addressOf: TarballAddress,
): ConfigurationFile | null {
  if (replacements.size === 0) return null;
  const answered = new Set<string>();
  const blocks = lock.entries.flatMap((entry): LockBlock[] => {
    if (entry.block === null) return [];
    // Two requirements on one repacked dependency become the same.
    const patterns = [...new Set(entry.patterns.map((pattern) => newPattern(pattern, versions)))].filter(
      (pattern) => !answered.has(pattern),
    );
    for (const pattern of patterns) answered.add(pattern);
    const replacement = replacements.get(entry);
    const block = { patterns, fields: copyFields(entry.block) };
    replaceRequirements(block, versions);
    if (replacement) replaceSource(block, replacement, addressOf(entry, replacement));
    return [block];
  });
  return { path: `app/${lock.path}`, content: Buffer.from(formatLockText(blocks)) };
}

/** A package.json that asks for repacked dependencies by their new versions; null when nothing changes. */
export function rewriteManifest(
  path: string,
  manifest: JsonObject,
  versions: NewVersions,
): ConfigurationFile | null {
  const document = structuredClone(manifest);
  let changed = false;
  const replace = (requirements: JsonObject, key: string, pattern: string) => {
    const version = versions.get(pattern);
    if (version === undefined) return;
    requirements[key] = version;
    changed = true;
  };
  for (const field of REQUIREMENT_FIELDS) {
    const requirements = document[field];
    if (!isObject(requirements)) continue;
    for (const [name, range] of Object.entries(requirements)) replace(requirements, name, `${name}@${range}`);
  }
  for (const { key, name, range } of resolutionsOf(document)) {
    replace(document.resolutions as JsonObject, key, `${name}@${range}`);
  }
  // cachito's form: two spaces, no newline at the end.
  return changed ? { path: `app/${path}`, content: Buffer.from(JSON.stringify(document, null, 2)) } : null;
}

/** Takes the place of a `.yarnrc` of the repository, whatever that says (prefetch.md 4.1). */
export function yarnrc(directory: string): ConfigurationFile {
  return {
    path: posix.join('app', directory, '.yarnrc'),
    content: Buffer.from('network-timeout "600000"\n'),
  };
}

function newPattern(pattern: string, versions: NewVersions): string {
  const version = versions.get(pattern);
  return version === undefined ? pattern : `${parsePattern(pattern).name}@${version}`;
}

function copyFields({ fields }: LockBlock): LockBlock['fields'] {
  return new Map([...fields].map(([key, value]) => [key, value instanceof Map ? new Map(value) : value]));
}

function replaceSource(
  { fields }: LockBlock,
  { version, sha1, integrity }: Replacement,
  address: string,
): void {
  fields.set('resolved', `${address}#${sha1}`);
  if (integrity === null) return;
  fields.set('version', version);
  fields.set('integrity', integrity);
  // Of a git repository: its commit, and the name that it gives itself.
  fields.delete('uid');
  fields.delete('name');
}

function replaceRequirements(block: LockBlock, versions: NewVersions): void {
  if (versions.size === 0) return;
  for (const requirements of requirementMaps(block)) {
    for (const [name, range] of requirements) {
      const version = versions.get(`${name}@${range}`);
      if (version !== undefined) requirements.set(name, version);
    }
  }
}
