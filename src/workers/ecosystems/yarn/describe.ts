import { posix } from 'node:path';
import {
  DESCRIPTION_RULES,
  describeDependencies,
  isRegistryTarball,
  localDependency,
} from '../../javascript-packages/description.ts';
import { isVersion } from '../../javascript-packages/package-name.ts';
import { describe as described } from '../../javascript-packages/sources.ts';
import type { DescribeContext, LockDescription, LockFiles } from '../ecosystem.ts';
import { readCapped } from '../source-files.ts';
import {
  type Classified,
  classify,
  digestsOf,
  type PlacedEntry,
  workspaceDependency,
  workspaceEntry,
} from './classify.ts';
import { yarnComponents } from './components.ts';
import { runtimeEntries } from './development.ts';
import { parseLockFile } from './lock-file.ts';
import { type AnyYarnProject, readAnyProject } from './project.ts';
import { LOCK_FILE_NAME } from './repository-structure.ts';

export const locks: LockFiles = { fileNames: ['package.json', LOCK_FILE_NAME], describe };

async function describe({ source, directory, location, limits }: DescribeContext): Promise<LockDescription> {
  const at = (name: string) => posix.join(directory, name);
  const files = { directory, lockFile: at(LOCK_FILE_NAME), manifest: at('package.json') };
  const project = await readAnyProject(source, files, limits.lockFileBytes);
  const content = await readCapped(source, files.lockFile, limits.lockFileBytes);
  const { entries } = parseLockFile(files.lockFile, content, limits.dependencies);
  const runtime = runtimeEntries(entries, project);
  const placed = entries.map((entry) => ({ ...entry, dev: !runtime.has(entry) }));
  const workspaces = project.workspaces.map(workspaceEntry);
  const { dependencies, leftOut } = describeDependencies([...placed, ...workspaces], (entry) =>
    entry.block === null
      ? workspaceDependency(entry, entry.path!)
      : classifyFreely(project, entry, directory),
  );
  const components = yarnComponents([{ project, dependencies }], location);
  return { lockFiles: [files.lockFile], components, leftOut };
}

/** What would be fetched from anywhere, and the packages of the source, whoever allows them. */
function classifyFreely(project: AnyYarnProject, entry: PlacedEntry, directory: string): Classified {
  const { path, source, version, name } = entry;
  if (path !== null) return localDependency(entry, path, directory);
  if (source !== null && version !== null && isVersion(version) && isRegistryTarball(entry)) {
    const expected = digestsOf(entry, described(name, source));
    return { kind: 'registry', entry, expected, version, fetchVersion: version };
  }
  return classify(project, entry, DESCRIPTION_RULES);
}
