import { posix } from 'node:path';
import {
  DESCRIPTION_RULES,
  describeDependencies,
  isRegistryTarball,
  localDependency,
} from '../../javascript-packages/description.ts';
import { expectedDigests } from '../../javascript-packages/integrity.ts';
import { parseJsonObject } from '../../javascript-packages/json-object.ts';
import { describe as described } from '../../javascript-packages/sources.ts';
import type { DescribeContext, LockDescription, LockFiles } from '../ecosystem.ts';
import { isFile, readCapped } from '../source-files.ts';
import { type Classified, classify } from './classify.ts';
import { npmComponents } from './components.ts';
import { type AnyLockFile, type LockEntry, parseAnyLockFile } from './lock-file.ts';
import { LOCK_FILE_NAMES } from './repository-structure.ts';
import { manifestDependencies } from './resolve.ts';

export const locks: LockFiles = { fileNames: ['package.json', ...LOCK_FILE_NAMES], describe };

async function describe(context: DescribeContext): Promise<LockDescription> {
  const { source, directory, location, limits } = context;
  const at = (name: string) => posix.join(directory, name);
  const lockFile = LOCK_FILE_NAMES.map(at).find((path) => isFile(source, path)) ?? at(LOCK_FILE_NAMES[0]);
  const lock = parseAnyLockFile(lockFile, await readCapped(source, lockFile, limits.lockFileBytes));
  const { dependencies, leftOut } = describeDependencies(lock.entries, (entry) =>
    classifyFreely(lock, entry, directory),
  );
  const rootDependencies = lock.rootDependencies ?? (await rootDependenciesOf(context));
  const components = npmComponents([{ lock, directory, rootDependencies, dependencies }], location);
  return { lockFiles: [lockFile], components, leftOut };
}

/** Only package.json says it beside lock files of version 1. */
async function rootDependenciesOf({ source, directory, limits }: DescribeContext): Promise<string[]> {
  const path = posix.join(directory, 'package.json');
  return manifestDependencies(parseJsonObject(path, await readCapped(source, path, limits.lockFileBytes)));
}

/** What would be fetched from anywhere, and the packages of the source, whoever allows them. */
function classifyFreely(lock: AnyLockFile, entry: LockEntry, directory: string): Classified {
  const { source, version, name } = entry;
  if (source?.startsWith('file:')) return localDependency(entry, source.slice('file:'.length), directory);
  if (source !== null && version !== null && isRegistryTarball(entry)) {
    const expected = expectedDigests(entry.integrity, described(name, source));
    return { kind: 'registry', entry, expected, version, fetchVersion: version };
  }
  return classify(lock, entry, DESCRIPTION_RULES);
}
