import type { LockedPackage } from '../../javascript-packages/dependency.ts';
import { isCleanText, unexpected } from '../../javascript-packages/json-object.ts';
import { isPackageName } from '../../javascript-packages/package-name.ts';
import { type LockBlock, type LockValue, parseLockText } from './lock-text.ts';
import { localPath, parsePattern } from './pattern.ts';

/** A lock file of yarn 1 (prefetch.md 4.1). */
export interface YarnLock<Entry extends LockEntry = LockEntry> {
  /** Relative to the source root, e.g. `client/yarn.lock`. */
  path: string;
  entries: Entry[];
}

/** One block of the lock file, or a workspace, which has none. */
export interface LockEntry extends Omit<LockedPackage, 'dev'> {
  /** The requirements that it answers; empty for a workspace. */
  patterns: readonly string[];
  version: string | null;
  /** As in the lock; `source` is the same without the digest in the fragment of a URL. */
  resolved: string | null;
  /** Where it lies in the source, when it is taken from there, as written in the requirement. */
  path: string | null;
  integrity: string | null;
  /** Of the URL's fragment, hex. */
  sha1: string | null;
  /** What it needs, as patterns. Optional dependencies are included. */
  dependencies: readonly string[];
  /** The text, for rewriting; null for a workspace. */
  block: LockBlock | null;
}

const REQUIREMENT_FIELDS = ['dependencies', 'optionalDependencies'] as const;

export function parseLockFile(path: string, content: Buffer, maxDependencies: number): YarnLock {
  const blocks = parseLockText(path, content, maxDependencies);
  return { path, entries: blocks.map((block) => lockEntry(path, block)) };
}

/** The requirements of a block with their fields, for reading and rewriting. */
export function* requirementMaps({ fields }: LockBlock): Generator<Map<string, LockValue>> {
  for (const field of REQUIREMENT_FIELDS) {
    const requirements = fields.get(field);
    if (requirements instanceof Map) yield requirements;
  }
}

function lockEntry(path: string, block: LockBlock): LockEntry {
  const { patterns, fields } = block;
  const text = (field: string): string | null => {
    const value = fields.get(field);
    if (value === undefined) return null;
    if (!isCleanText(value)) throw unexpected(path, `'${field}' of '${patterns[0]}' is not text`);
    return value === '' ? null : value;
  };
  const { range, packageName } = parsePattern(patterns[0]!);
  for (const pattern of patterns) assertPattern(path, pattern, packageName);
  const version = text('version');
  if (version === null) throw unexpected(path, `'${patterns[0]}' has no version`);
  const resolved = text('resolved');
  const local = localPath(range);
  return {
    patterns,
    name: packageName,
    version,
    resolved,
    ...(local === null ? remoteSource(resolved) : { source: `file:${local}`, sha1: null }),
    path: local,
    integrity: text('integrity'),
    dependencies: [...requirementMaps(block)].flatMap((one) => patternsOf(path, one)),
    block,
    bundled: false,
    hasInstallScript: false,
    license: null,
  };
}

/** `https://…/a-1.0.0.tgz#<sha1>`; the fragment of a git URL is a commit and belongs to it. */
function remoteSource(resolved: string | null): Pick<LockEntry, 'source' | 'sha1'> {
  const [, url, fragment] = /^(https?:\/\/[^#]*)#(.*)$/i.exec(resolved ?? '') ?? [];
  if (url === undefined || fragment === undefined) return { source: resolved, sha1: null };
  // yarn knows git repositories by their ending.
  if (/\.git$/i.test(url)) return { source: `git+${resolved}`, sha1: null };
  return { source: url, sha1: /^[0-9a-f]{40}$/i.test(fragment) ? fragment.toLowerCase() : null };
}

function patternsOf(path: string, requirements: ReadonlyMap<string, LockValue>): string[] {
  return [...requirements].map(([name, range]) => {
    const pattern = `${name}@${range}`;
    assertPattern(path, pattern, null);
    return pattern;
  });
}

function assertPattern(path: string, text: string, expectedName: string | null): void {
  const { name, packageName } = parsePattern(text);
  const isClean = isCleanText(text) && isPackageName(name) && isPackageName(packageName);
  if (!isClean) throw unexpected(path, `invalid package name in ${JSON.stringify(text.slice(0, 300))}`);
  if (expectedName !== null && packageName !== expectedName) {
    throw unexpected(path, `${expectedName} and ${packageName} have one entry`);
  }
}
