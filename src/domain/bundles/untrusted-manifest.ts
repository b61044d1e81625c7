import { InvalidFileFormat, ValidationError } from '../errors.ts';
import { followPath } from '../sources/follow-path.ts';
import { type BundleManifest, type ManifestEntry, manifestText, parseManifest } from './bundle-manifest.ts';
import { tarTime } from './deterministic-tar.ts';

/**
 * A manifest from outside: everything that {@link file://./bundle-manifest.ts} promises about one is checked, since what
 * it names is going to be unpacked. Throws RequestFailure `unexpected-format` or `path-outside-root`.
 */
export function readUntrustedManifest(text: string): BundleManifest {
  const manifest = parse(text);
  if (!Number.isSafeInteger(manifest.time) || tarTime(manifest.time) !== manifest.time) {
    throw malformed(`the time ${String(manifest.time)} is none that a bundle can have`);
  }
  const entries = new Map<string, ManifestEntry>();
  let last: Buffer | null = null;
  for (const entry of manifest.entries) {
    requireEntry(entry);
    const name = Buffer.from(entry.path);
    if (last && Buffer.compare(last, name) >= 0)
      throw malformed(`${entry.path} is not in order, or there twice`);
    requireParent(entry.path, entries);
    entries.set(entry.path, entry);
    last = name;
  }
  requireLinksInside(entries);
  if (manifestText(manifest) !== text) throw malformed('its text is not the one that Stowage writes');
  return manifest;
}

function parse(text: string): BundleManifest {
  try {
    return parseManifest(text);
  } catch (cause) {
    throw malformed(cause instanceof SyntaxError ? 'it is no JSON' : 'it is no manifest of format 1', cause);
  }
}

const MODES: Record<ManifestEntry['type'], readonly string[]> = {
  file: ['0644', '0755'],
  directory: ['0755'],
  symlink: ['0777'],
};

function requireEntry(entry: ManifestEntry): void {
  if (typeof entry !== 'object' || entry === null || typeof entry.path !== 'string') {
    throw malformed('an entry has no path');
  }
  requirePath(entry.path);
  const { path, type, mode, size, digest, target } = entry;
  if (!Object.hasOwn(MODES, type)) throw malformed(`${path} is of the unknown type ${String(type)}`);
  if (!MODES[type].includes(mode)) throw malformed(`${path} has the mode ${String(mode)}`);
  if (!Number.isSafeInteger(size) || size < 0 || (type !== 'file' && size !== 0)) {
    throw malformed(`${path} has the size ${String(size)}`);
  }
  const hasDigest = typeof digest === 'string' && /^sha256:[0-9a-f]{64}$/.test(digest);
  if (type === 'file' ? !hasDigest : digest !== undefined) throw malformed(`the digest of ${path} is wrong`);
  const hasTarget = typeof target === 'string' && target !== '' && !target.includes('\0');
  if (type === 'symlink' ? !hasTarget : target !== undefined)
    throw malformed(`the target of ${path} is wrong`);
}

function requirePath(path: string): void {
  const parts = path.split('/');
  if (path.startsWith('/') || parts.includes('..')) {
    throw new ValidationError(
      'path-outside-root',
      `The manifest names ${JSON.stringify(path)}, outside of the bundle`,
    );
  }
  if (path.includes('\0') || parts.some((part) => part === '' || part === '.')) {
    throw malformed(`${JSON.stringify(path)} is no path`);
  }
}

/** What holds something is a directory: never a link, through which files would land elsewhere. */
function requireParent(path: string, entries: ReadonlyMap<string, ManifestEntry>): void {
  const slash = path.lastIndexOf('/');
  if (slash < 0) return;
  const parent = path.slice(0, slash);
  if (parent !== 'app' && entries.get(parent)?.type !== 'directory') {
    throw malformed(`${path} lies in ${parent}, which is no directory of it`);
  }
}

function requireLinksInside(entries: ReadonlyMap<string, ManifestEntry>): void {
  const shape = {
    entries,
    isDirectory: (path: string): boolean => path === 'app' || entries.get(path)?.type === 'directory',
  };
  for (const { path, type, target } of entries.values()) {
    if (type === 'symlink' && followPath(shape, path).kind === 'outside') {
      throw new ValidationError('path-outside-root', `The link ${path} to ${target} leads out of the bundle`);
    }
  }
}

function malformed(what: string, cause?: unknown): InvalidFileFormat {
  return new InvalidFileFormat('unexpected-format', `The manifest cannot be used: ${what}`, { cause });
}
