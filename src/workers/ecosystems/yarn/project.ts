import { posix } from 'node:path';
import { InvalidRequestData, ValidationError } from '../../../domain/errors.ts';
import type { SourceFiles } from '../../../domain/sources/source-tree.ts';
import {
  isCleanText,
  isObject,
  type JsonObject,
  parseJsonObject,
  requiredText,
  unexpected,
} from '../../javascript-packages/json-object.ts';
import { isPackageName, isVersion } from '../../javascript-packages/package-name.ts';
import { isFile, readCapped } from '../source-files.ts';
import type { YarnFiles } from './repository-structure.ts';
import { findWorkspaces, readWorkspaceGlobs, type WorkspaceGlobs } from './workspaces.ts';

/** The package.json files of one yarn package. */
export interface YarnProject {
  files: YarnFiles;
  name: string;
  version: string;
  license: string | null;
  manifest: JsonObject;
  globs: WorkspaceGlobs;
  workspaces: Workspace[];
}

/** Of whatever package: only the contract wants them to have names and versions. */
export type AnyYarnProject = Omit<YarnProject, 'name' | 'version'> & {
  name: string | null;
  version: string | null;
};

export interface Workspace {
  /** Relative to the package. */
  folder: string;
  /** Of its package.json, relative to the source root. */
  path: string;
  name: string;
  version: string | null;
  manifest: JsonObject;
}

/** What a package needs at run time; and what else its package.json asks for. */
export const RUNTIME_FIELDS = ['dependencies', 'optionalDependencies', 'peerDependencies'] as const;
export const REQUIREMENT_FIELDS = [...RUNTIME_FIELDS, 'devDependencies'] as const;

export async function readProject(
  source: SourceFiles,
  files: YarnFiles,
  maxBytes: number,
): Promise<YarnProject> {
  const manifest = await readManifest(source, files.manifest, maxBytes);
  const { name, version } = manifest;
  if (!isCleanText(name) || name === '' || !isCleanText(version) || version === '') {
    throw new InvalidRequestData(
      'package-rejected',
      'The package.json file is missing required data (name, version)',
    );
  }
  return { ...(await readManifests(source, files, manifest, maxBytes)), name, version };
}

export async function readAnyProject(
  source: SourceFiles,
  files: YarnFiles,
  maxBytes: number,
): Promise<AnyYarnProject> {
  const manifest = await readManifest(source, files.manifest, maxBytes);
  const { name, version } = manifest;
  return {
    ...(await readManifests(source, files, manifest, maxBytes)),
    name: typeof name === 'string' && isPackageName(name) ? name : null,
    version: typeof version === 'string' && isVersion(version) ? version : null,
  };
}

async function readManifests(
  source: SourceFiles,
  files: YarnFiles,
  manifest: JsonObject,
  maxBytes: number,
): Promise<Omit<YarnProject, 'name' | 'version'>> {
  const { manifest: path, directory } = files;
  const globs = readWorkspaceGlobs(path, manifest);
  const folders = findWorkspaces(source, directory, globs);
  assertTogetherSmall(source, directory, folders, maxBytes);
  const workspaces: Workspace[] = [];
  for (const folder of folders) workspaces.push(await readWorkspace(source, directory, folder, maxBytes));
  return { files, license: licenseOf(manifest), manifest, globs, workspaces };
}

/** The package.json of a dependency in the source; null when there is none inside. */
export async function readLocalManifest(
  source: SourceFiles,
  path: string,
  maxBytes: number,
): Promise<JsonObject | null> {
  const isInside = !path.startsWith('../');
  return isInside && isFile(source, path) ? readManifest(source, path, maxBytes) : null;
}

/** What a package.json asks for, as patterns. */
export function patternsOf(manifest: JsonObject, fields: readonly string[]): string[] {
  return fields.flatMap((field) => {
    const requirements = manifest[field];
    return isObject(requirements)
      ? Object.entries(requirements).map(([name, range]) => `${name}@${range}`)
      : [];
  });
}

/** They are all in memory at a time. */
function assertTogetherSmall(
  source: SourceFiles,
  directory: string,
  folders: readonly string[],
  maxBytes: number,
): void {
  let bytes = 0;
  for (const folder of folders) {
    const entry = source.lookup(posix.join(directory, folder, 'package.json'));
    if (entry !== null && entry !== 'directory') bytes += entry.size;
  }
  if (bytes > maxBytes) {
    throw new ValidationError(
      'invalid-lockfile',
      `The package.json files of the workspaces are larger than ${maxBytes} bytes together`,
    );
  }
}

async function readWorkspace(
  source: SourceFiles,
  directory: string,
  folder: string,
  maxBytes: number,
): Promise<Workspace> {
  const path = posix.join(directory, folder, 'package.json');
  const manifest = await readManifest(source, path, maxBytes);
  const name = requiredText(path, manifest, 'name');
  if (!isPackageName(name)) throw unexpected(path, `invalid package name ${JSON.stringify(name)}`);
  const version = isCleanText(manifest.version) ? manifest.version : null;
  return { folder, path, name, version, manifest };
}

async function readManifest(source: SourceFiles, path: string, maxBytes: number): Promise<JsonObject> {
  return parseJsonObject(path, await readCapped(source, path, maxBytes));
}

function licenseOf({ license }: JsonObject): string | null {
  return isCleanText(license) && license !== '' ? license : null;
}
