import { posix } from 'node:path';
import { FileAccessError, UnsupportedFeature, ValidationError } from '../../../domain/errors.ts';
import type { SourceTree } from '../../../domain/sources/source-tree.ts';
import type { IdleContext, ResolveContext } from '../ecosystem.ts';
import { isFile } from '../source-files.ts';
import { type GoModFile, parseGoMod } from './go-mod-file.ts';
import { type GoSum, parseGoSum } from './go-sum.ts';

/** A module of the source. Paths are relative to the source root. */
export interface SourceModule {
  /** `.` for the root. */
  directory: string;
  goMod: GoModFile;
  /** Of its go.sum; empty when there is none. */
  sums: GoSum;
}

/** A go.work with the modules that it unites. */
interface Workspace {
  /** Of the go.work file. */
  directory: string;
  goWork: GoModFile;
  /** Of its go.work.sum. */
  sums: GoSum;
  members: SourceModule[];
}

/** A module that the request names, with the workspace that unites it with others. */
export interface RequestedModule extends SourceModule {
  workspace: Workspace | null;
  /** There is a go.work, but it does not name this module: go refuses to work here unless GOWORK is `off`. */
  isLeftOut: boolean;
}

/** A single path without a go.mod is none of the contract's concern, unless the operator thinks otherwise. */
export function isIdle(context: IdleContext): boolean {
  const { request, settings } = context;
  if (request.rules !== 'cachito' || !settings.gomodIgnoreMissingFile) return false;
  return modulePaths(context).length === 1 && withoutGoMod(context).length === 1;
}

/** In the contract a path that is named twice is a package that is there twice, and fails as such (cachito.md 3.1, 4.3). */
function modulePaths({ packages, request }: IdleContext): string[] {
  const paths = packages.map(({ path }) => posix.normalize(path).replace(/(.)\/$/, '$1'));
  return request.rules === 'cachito' ? paths : [...new Set(paths)];
}

function withoutGoMod(context: IdleContext): string[] {
  return modulePaths(context).filter((path) => !isFile(context.source, posix.join(path, 'go.mod')));
}

/** `null`: the manager has nothing to do (prefetch.md 2.1). */
export async function findModules(context: ResolveContext): Promise<RequestedModule[] | null> {
  const { source } = context;
  const paths = modulePaths(context);
  const missing = withoutGoMod(context);
  if (missing.length > 0) {
    if (isIdle(context)) return null;
    const files = missing.map((path) => posix.join(path, 'go.mod'));
    throw new FileAccessError(
      'lockfile-not-found',
      `The ${files.join('; ')} ${files.length > 1 ? 'files' : 'file'} must be present for the gomod package manager`,
    );
  }
  const workspaces = new Map<string, Promise<Workspace>>();
  return await Promise.all(
    paths.map(async (directory) => {
      const at = findWorkspace(source, directory);
      if (at !== null && !workspaces.has(at)) workspaces.set(at, readWorkspace(context, at));
      const module = await readModule(context, directory);
      const workspace = at === null ? null : await workspaces.get(at)!;
      if (!workspace?.members.some((member) => member.directory === module.directory)) {
        return { ...module, workspace: null, isLeftOut: workspace !== null };
      }
      return { ...module, workspace, isLeftOut: false };
    }),
  );
}

/** All modules that go reads for a requested one: its own, or those of the workspace. */
export function mainModules({ workspace, ...module }: RequestedModule): SourceModule[] {
  return workspace ? workspace.members : [module];
}

/**
 * Whether the modules of a workspace require each other only. They may do so in versions that were never published:
 * `go build` takes no notice, but `go mod download` would look for them.
 */
export function requiresOnlyMembers({ workspace }: RequestedModule): boolean {
  if (!workspace) return false;
  const names = new Set(workspace.members.map(({ goMod }) => goMod.module));
  return workspace.members.every(({ goMod }) => goMod.require.every(({ path }) => names.has(path)));
}

/** As go looks for it, but never above the source. */
function findWorkspace(source: SourceTree, directory: string): string | null {
  for (let at = directory; ; at = posix.dirname(at)) {
    if (isFile(source, posix.join(at, 'go.work'))) return at;
    if (at === '.') return null;
  }
}

async function readWorkspace(context: ResolveContext, directory: string): Promise<Workspace> {
  const path = posix.join(directory, 'go.work');
  const goWork = parseGoMod(path, await readText(context, path));
  assertReplacements(context, goWork, directory);
  const members: SourceModule[] = [];
  for (const used of goWork.use) {
    const member = insideSource(directory, used);
    if (isFile(context.source, posix.join(member, 'go.mod'))) members.push(await readModule(context, member));
  }
  return { directory, goWork, sums: await readSums(context, posix.join(directory, 'go.work.sum')), members };
}

async function readModule(context: ResolveContext, directory: string): Promise<SourceModule> {
  const path = posix.join(directory, 'go.mod');
  const goMod = parseGoMod(path, await readText(context, path));
  if (goMod.module === null) {
    throw new ValidationError('invalid-lockfile', `The file ${path} has no module line`);
  }
  assertReplacements(context, goMod, directory);
  return { directory, goMod, sums: await readSums(context, posix.join(directory, 'go.sum')) };
}

async function readSums(context: ResolveContext, path: string): Promise<GoSum> {
  return parseGoSum(path, isFile(context.source, path) ? await readText(context, path) : '');
}

/** Directories that replace modules must lie in the source (prefetch.md 2.1, 2.3). */
function assertReplacements(context: ResolveContext, { replace }: GoModFile, directory: string): void {
  for (const { newPath, newVersion } of replace) {
    if (newVersion === null) {
      const target = insideSource(directory, newPath);
      // A link on the way may leave the source: the lookup refuses it.
      context.source.lookup(posix.join(target, 'go.mod'));
    }
  }
}

/** A path of go.mod or go.work, from the source root. */
function insideSource(directory: string, path: string): string {
  if (/^([/\\]|[A-Za-z]:[/\\])/.test(path)) {
    throw new UnsupportedFeature(
      'unsupported-feature',
      `Absolute paths to gomod dependencies are not supported: ${path}`,
    );
  }
  const target = posix.join(directory, path.replaceAll('\\', '/'));
  if (target === '..' || target.startsWith('../')) {
    throw new ValidationError(
      'path-outside-root',
      `The local file dependency path ${path} is outside the repository`,
    );
  }
  return target.replace(/(.)\/$/, '$1');
}

async function readText({ source, settings }: ResolveContext, path: string): Promise<string> {
  return (await source.read(posix.normalize(path), settings.limits.lockFileBytes)).toString('utf8');
}
