import { compareText } from '../code-point-order.ts';
import { InvalidRequestData } from '../errors.ts';
import type { SourceEntry, SourceTree } from '../sources/source-tree.ts';
import type { Digest } from '../storage/blob-store.ts';
import type { BundleFile, BundleLink, SourceChange } from './bundle-file.ts';
import { tarTime } from './deterministic-tar.ts';

/**
 * What a bundle is: its entries, sorted bytewise by path. The digest of the text is the bundle's identity (prefetch.md
 * section 14). One entry a line, so that two manifests can be compared with `diff`.
 */
export interface BundleManifest {
  formatVersion: 1;
  /** Modification time of every entry, seconds since 1970. */
  time: number;
  entries: ManifestEntry[];
}

export interface ManifestEntry {
  path: string;
  type: 'file' | 'directory' | 'symlink';
  /** Octal text, e.g. `0644`. */
  mode: string;
  size: number;
  digest?: Digest;
  target?: string;
}

/** Where the bytes of a file of the manifest are. */
type FileContent =
  | { kind: 'blob'; digest: Digest; size: number; crc32: number }
  /** A file of the source tree, by its path there. */
  | { kind: 'source'; path: string };

export interface BundleContents {
  manifest: BundleManifest;
  contents: Map<string, FileContent>;
}

export interface BundleParts {
  source: SourceTree;
  sourceChanges: readonly SourceChange[];
  /** Below `deps/`, and what lies beside it in native bundles. */
  files: readonly BundleFile[];
  links?: readonly BundleLink[];
  directories: readonly string[];
}

const SOURCE_ROOT = 'app';

/**
 * Lays out a bundle: `app/…` without an entry for `app` itself, `deps` and everything below it. Throws
 * InvalidRequestData when two files want one path with different bytes.
 */
export function layOutBundle(parts: BundleParts): BundleContents {
  const entries = new Map<string, ManifestEntry>();
  const contents = new Map<string, FileContent>();
  for (const entry of parts.source.entries.values()) addSourceEntry(entry, entries, contents);
  for (const change of parts.sourceChanges) {
    const path = `${SOURCE_ROOT}/${change.path}`;
    entries.delete(path);
    contents.delete(path);
    if (change.kind === 'write') addFile({ ...change.file, path }, entries, contents);
  }
  for (const file of parts.files) addFile(file, entries, contents);
  for (const link of parts.links ?? []) addLink(link, entries);
  for (const path of ['deps', ...parts.directories]) addDirectory(path, entries);
  for (const path of [...entries.keys()]) addParents(path, entries);
  entries.delete(SOURCE_ROOT);
  const manifest: BundleManifest = {
    formatVersion: 1,
    time: tarTime(parts.source.time),
    entries: sorted([...entries.values()]),
  };
  return { manifest, contents };
}

export function manifestText(manifest: BundleManifest): string {
  const similar = similarNames(manifest.entries);
  const flag = similar.length === 0 ? '' : `"similarNames":${JSON.stringify(similar)},`;
  const head = `{"formatVersion":${manifest.formatVersion},"time":${manifest.time},${flag}"entries":[\n`;
  return `${head}${manifest.entries.map((entry) => JSON.stringify(canonical(entry))).join(',\n')}\n]}\n`;
}

/**
 * Groups of paths that are one and the same on some file systems: they differ only by case or by Unicode normalisation.
 * Such bundles are made (some npm packages are like that), and their manifest says so (prefetch.md 14).
 */
export function similarNames(entries: readonly ManifestEntry[]): string[][] {
  const groups = new Map<string, string[]>();
  for (const { path } of entries) {
    const folded = path.normalize('NFC').toLowerCase();
    const group = groups.get(folded);
    if (group) group.push(path);
    else groups.set(folded, [path]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

export function parseManifest(text: string): BundleManifest {
  const manifest = JSON.parse(text) as BundleManifest;
  if (manifest.formatVersion !== 1 || !Array.isArray(manifest.entries))
    throw new Error('not a bundle manifest');
  return manifest;
}

/** True for entries of the part that is compressed once for each source. */
export function isSourceEntry(entry: ManifestEntry): boolean {
  return entry.path.startsWith(`${SOURCE_ROOT}/`);
}

function addSourceEntry(
  entry: SourceEntry,
  entries: Map<string, ManifestEntry>,
  contents: Map<string, FileContent>,
): void {
  const path = `${SOURCE_ROOT}/${entry.path}`;
  switch (entry.mode) {
    case '160000':
      // A submodule that was not asked for is an empty directory, as in a checkout.
      addDirectory(path, entries);
      return;
    case '120000':
      entries.set(path, { path, type: 'symlink', mode: '0777', size: 0, target: entry.target! });
      return;
    default:
      entries.set(path, {
        path,
        type: 'file',
        mode: entry.mode === '100755' ? '0755' : '0644',
        size: entry.size,
        digest: entry.digest!,
      });
      contents.set(path, { kind: 'source', path: entry.path });
  }
}

function addFile(
  file: BundleFile,
  entries: Map<string, ManifestEntry>,
  contents: Map<string, FileContent>,
): void {
  const { path, digest, size, crc32 } = file;
  const present = entries.get(path);
  if (present && present.digest !== digest) {
    throw new InvalidRequestData(
      'package-rejected',
      `Two different files have the path ${path} in the bundle`,
      {
        details: { path, digests: [present.digest, digest] },
      },
    );
  }
  entries.set(path, { path, type: 'file', mode: file.mode === 0o755 ? '0755' : '0644', size, digest });
  contents.set(path, { kind: 'blob', digest, size, crc32 });
}

function addLink({ path, target }: BundleLink, entries: Map<string, ManifestEntry>): void {
  if (entries.has(path)) {
    throw new InvalidRequestData('package-rejected', `A file and a link have the path ${path} in the bundle`);
  }
  entries.set(path, { path, type: 'symlink', mode: '0777', size: 0, target });
}

function addDirectory(path: string, entries: Map<string, ManifestEntry>): void {
  if (!entries.has(path)) entries.set(path, { path, type: 'directory', mode: '0755', size: 0 });
}

function addParents(path: string, entries: Map<string, ManifestEntry>): void {
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    const parent = path.slice(0, slash);
    if (entries.has(parent)) return;
    addDirectory(parent, entries);
  }
}

/** Bytewise by UTF-8: parents come before what they hold. */
function sorted(entries: ManifestEntry[]): ManifestEntry[] {
  return entries.sort((a, b) => compareText(a.path, b.path));
}

function canonical({ path, type, mode, size, digest, target }: ManifestEntry): ManifestEntry {
  return {
    path,
    type,
    mode,
    size,
    ...(digest !== undefined && { digest }),
    ...(target !== undefined && { target }),
  };
}
