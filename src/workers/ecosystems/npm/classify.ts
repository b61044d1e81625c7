import { posix } from 'node:path';
import type { ExpectedDigest } from '../../downloads/artifact-store.ts';
import type { LockedDependency } from '../../javascript-packages/dependency.ts';
import { expectedDigests } from '../../javascript-packages/integrity.ts';
import {
  type ClassificationRules,
  describe,
  externalDependency,
  fileDependencyRefused,
  isAllowedFileDependency,
  isFromRegistry,
  unsupportedLocation,
} from '../../javascript-packages/sources.ts';
import type { AnyLockFile, LockEntry } from './lock-file.ts';

export type Classified = LockedDependency<LockEntry>;

/** What a lock entry is. Throws the contract's refusals (prefetch.md 3.1). */
export function classify(lock: AnyLockFile, entry: LockEntry, rules: ClassificationRules): Classified {
  const { source, version } = entry;
  const described = describe(entry.name, source ?? version ?? '');
  const expected = expectedDigests(entry.integrity, described);
  if (source === null) {
    if (entry.bundled && !isBundledByProject(entry))
      return { kind: 'bundled', entry, expected, version: version ?? '', fetchVersion: version ?? '' };
    if (version === null) throw unsupportedLocation(described);
    return { kind: 'registry', entry, expected, version, fetchVersion: version };
  }
  if (isFromRegistry(source, entry, rules)) {
    if (version === null) throw unsupportedLocation(described);
    return { kind: 'registry', entry, expected, version, fetchVersion: version };
  }
  if (source.startsWith('file:')) return fileDependency(lock, entry, expected, rules);
  return externalDependency(entry, source, expected);
}

/**
 * The project's own `bundleDependencies` are in no tarball yet: npm fetches them like others. They have an integrity and
 * lie in no other package; `resolved` may be left out as in any entry.
 */
function isBundledByProject({ integrity, location }: LockEntry): boolean {
  return integrity !== null && location.split('node_modules/').length === 2;
}

function fileDependency(
  lock: AnyLockFile,
  entry: LockEntry,
  expected: readonly ExpectedDigest[],
  { fileDepsAllowlist }: ClassificationRules,
): Classified {
  const source = entry.source!;
  const path = source.slice('file:'.length);
  if (!isWorkspace(lock, path) && !isAllowedFileDependency(fileDepsAllowlist, lock.name, entry.name)) {
    throw fileDependencyRefused(entry.name, source);
  }
  return { kind: 'file', entry, expected, version: source, path: posix.normalize(path) };
}

/** Whether a path is a workspace of the lock's root, inside the source. */
function isWorkspace(lock: AnyLockFile, path: string): boolean {
  const folder = posix.normalize(path).replace(/\/$/, '');
  const fromSource = posix.join(posix.dirname(lock.path), folder);
  if (posix.isAbsolute(path) || fromSource === '..' || fromSource.startsWith('../') || path.includes('\0')) {
    return false;
  }
  return lock.isWorkspace(folder);
}
