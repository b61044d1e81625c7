import { posix } from 'node:path';
import semver from 'semver';
import { DomainError, RepositoryAccessError } from '../../../domain/errors.ts';
import type { GitTag } from '../../git/git-trees.ts';
import type { ResolveContext } from '../ecosystem.ts';

interface Version {
  /** `vX.Y.Z…`, the tag without its folder. */
  text: string;
  parsed: semver.SemVer;
}

/**
 * The version of a module of the source (prefetch.md 2.1): the highest tag on the commit, else a pseudo-version after
 * the highest tag before it, else one after nothing. `directory` is the module's, relative to the source root.
 */
export function moduleVersion(
  module: string,
  directory: string,
  tags: readonly GitTag[],
  commit: { id: string; time: number },
): string {
  const major = majorOf(module);
  const majors = major === null ? [1, 0] : [major];
  const prefix = tagPrefix(module, directory);
  for (const number of majors) {
    const onCommit = tags.filter((tag) => tag.commit === commit.id);
    const highest = highestTag(onCommit, prefix, number);
    if (highest) return highest.text;
  }
  for (const number of majors) {
    const highest = highestTag(tags, prefix, number);
    if (highest) return pseudoVersion(highest.parsed, commit);
  }
  return `v${major ?? 0}.0.0-${stamp(commit)}`;
}

/** Tags of the commit's history; none for an uploaded archive. */
export async function historyTags({ git, request }: ResolveContext): Promise<GitTag[]> {
  const { repository, commit } = request;
  if (repository === null || commit === null) return [];
  try {
    return await git.reachableTags(repository, commit);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    throw new RepositoryAccessError('fetch-failed', 'Failed to fetch the tags on the Git repository', {
      cause: error,
      hint: error.hint ?? error.message,
    });
  }
}

/** `/vN` at the end of a module path. */
function majorOf(module: string): number | null {
  const match = /\/v(\d+)$/.exec(module);
  return match ? Number(match[1]) : null;
}

/** Tags of a module in a folder begin with the folder, apart from a last one that only names the major version. */
function tagPrefix(module: string, directory: string): string {
  const last = posix.basename(directory);
  const isMajorFolder = /^v\d+$/.test(last) && module.endsWith(`/${last}`);
  const folder = isMajorFolder ? posix.dirname(directory) : directory;
  return folder === '.' ? '' : `${folder}/`;
}

function highestTag(tags: readonly GitTag[], prefix: string, major: number): Version | null {
  let highest: Version | null = null;
  for (const { name } of tags) {
    if (!name.startsWith(`${prefix}v`)) continue;
    const text = name.slice(prefix.length);
    const parsed = /^v\d+\.\d+\.\d+(-[^+]+)?$/.test(text) ? semver.parse(text.slice(1)) : null;
    if (!parsed || parsed.major !== major) continue;
    if (!highest || semver.gt(parsed, highest.parsed)) highest = { text, parsed };
  }
  return highest;
}

function pseudoVersion(
  { major, minor, patch, prerelease }: semver.SemVer,
  commit: { id: string; time: number },
): string {
  if (prerelease.length > 0) {
    return `v${major}.${minor}.${patch}-${prerelease.join('.')}.0.${stamp(commit)}`;
  }
  return `v${major}.${minor}.${patch + 1}-0.${stamp(commit)}`;
}

/** Commit time in UTC as yyyymmddhhmmss, and the first 12 characters of the commit. */
function stamp({ id, time }: { id: string; time: number }): string {
  const digits = new Date(time * 1000).toISOString().replace(/\D/g, '').slice(0, 14);
  return `${digits}-${id.slice(0, 12)}`;
}
