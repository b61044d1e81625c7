import { posix } from 'node:path';
import { InvalidRequestData } from '../../../domain/errors.ts';
import type { ExpectedDigest } from '../../downloads/artifact-store.ts';
import { maskCredentials } from '../../downloads/mask-credentials.ts';
import type { LockedDependency } from '../../javascript-packages/dependency.ts';
import { expectedDigests } from '../../javascript-packages/integrity.ts';
import { unexpected } from '../../javascript-packages/json-object.ts';
import { isVersion } from '../../javascript-packages/package-name.ts';
import {
  type ClassificationRules,
  describe,
  externalDependency,
  fileDependencyRefused,
  isAllowedFileDependency,
  isFromRegistry,
} from '../../javascript-packages/sources.ts';
import type { LockEntry } from './lock-file.ts';
import { type AnyYarnProject, patternsOf, REQUIREMENT_FIELDS, type Workspace } from './project.ts';

/** An entry whose place in the graph is known. */
export type PlacedEntry = LockEntry & { dev: boolean };
export type Classified = LockedDependency<PlacedEntry>;

/** What a lock entry is. Throws the contract's refusals (prefetch.md 4.1). */
export function classify(
  project: AnyYarnProject,
  entry: PlacedEntry,
  rules: ClassificationRules,
): Classified {
  const { source, version, resolved, path } = entry;
  if (path !== null) return fileDependency(project, entry, path, rules);
  if (source === null || resolved === null) {
    throw new InvalidRequestData('invalid-lockfile', `The dependency ${entry.name}@${version} has no source`);
  }
  const expected = digestsOf(entry, describe(entry.name, resolved));
  if (isFromRegistry(source, entry, rules)) {
    if (version === null || !isVersion(version)) {
      throw unexpected(project.files.lockFile, `'${entry.patterns[0]}' has no valid version`);
    }
    return { kind: 'registry', entry, expected, version, fetchVersion: version };
  }
  return { ...externalDependency(entry, source, expected), version: maskCredentials(resolved) };
}

/** Workspaces are in no lock file, but reported (prefetch.md 4.1). */
export function workspaceEntry({ folder, name, version, manifest }: Workspace): PlacedEntry {
  return {
    patterns: [],
    name,
    version,
    resolved: null,
    source: `file:${folder}`,
    path: folder,
    integrity: null,
    sha1: null,
    dependencies: patternsOf(manifest, REQUIREMENT_FIELDS),
    block: null,
    bundled: false,
    dev: false,
    hasInstallScript: false,
    license: null,
  };
}

/** A workspace, as the dependency that it is reported as. */
export function workspaceDependency(entry: PlacedEntry, folder: string): Classified {
  return { kind: 'file', entry, expected: [], version: `file:${folder}`, path: folder };
}

/** The strongest of the integrity value, else the digest in the URL. */
export function digestsOf({ integrity, sha1 }: LockEntry, described: string): ExpectedDigest[] {
  const digests = expectedDigests(integrity, described);
  return digests.length === 0 && sha1 !== null ? [{ algorithm: 'sha1', hex: sha1 }] : digests;
}

function fileDependency(
  { name, globs }: AnyYarnProject,
  entry: PlacedEntry,
  path: string,
  { fileDepsAllowlist }: ClassificationRules,
): Classified {
  const version = `file:${path}`;
  const folder = posix.normalize(path).replace(/(?<=.)\/$/, '');
  const isInside = !posix.isAbsolute(folder) && folder.split('/')[0] !== '..';
  const isAllowed =
    (isInside && globs.matches(folder)) || isAllowedFileDependency(fileDepsAllowlist, name, entry.name);
  if (!isAllowed) throw fileDependencyRefused(entry.name, version);
  return { kind: 'file', entry, expected: [], version, path: folder };
}
