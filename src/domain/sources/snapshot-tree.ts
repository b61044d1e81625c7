import type { Readable } from 'node:stream';
import { FileAccessError, ValidationError } from '../errors.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { exportEntries } from './export-entries.ts';
import { followPath, outsideError } from './follow-path.ts';
import { PackReader } from './pack-reader.ts';
import { comparePaths } from './source-path.ts';
import type { PackedEntry, SnapshotIndex } from './source-snapshot.ts';
import type { SourceEntry, SourceTree } from './source-tree.ts';

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/** A source tree read from its snapshot; see source-snapshot.ts for the format. */
export class SnapshotTree implements SourceTree {
  readonly commit: string | null;
  readonly treeId: string;
  readonly time: number;
  readonly entries: ReadonlyMap<string, PackedEntry>;
  readonly #pack: PackReader;
  /** Names in each directory; made when it is first needed. */
  #directories: Map<string, string[]> | null = null;

  constructor(blobs: BlobStore, index: SnapshotIndex) {
    this.commit = index.commit;
    this.treeId = index.treeId;
    this.time = index.time;
    this.entries = new Map(index.entries.map((entry) => [entry.path, entry]));
    this.#pack = new PackReader(blobs, index.pack, index.packSize);
  }

  lookup(path: string): SourceEntry | 'directory' | null {
    const destination = followPath(this, path);
    if (destination.kind === 'outside') throw outsideError(destination.link ?? path);
    if (destination.kind !== 'found') return null;
    if (this.isDirectory(destination.path)) return 'directory';
    return this.entries.get(destination.path) ?? null;
  }

  isDirectory(path: string): boolean {
    return this.#namesByDirectory().has(path);
  }

  children(directory: string): string[] {
    return [...(this.#namesByDirectory().get(plainDirectory(directory)) ?? [])];
  }

  async read(path: string, maxBytes = DEFAULT_MAX_BYTES): Promise<Buffer> {
    const entry = this.#file(path);
    if (entry.size > maxBytes) {
      throw new ValidationError(
        'package-rejected',
        `The file ${path} has ${entry.size} bytes, more than the limit of ${maxBytes}`,
      );
    }
    return Buffer.from(await this.#pack.slice(entry.offset ?? 0, entry.size));
  }

  open(path: string): Readable {
    const entry = this.#file(path);
    return this.#pack.stream(entry.offset ?? 0, entry.size);
  }

  async exportTo(directory: string, options: { only?: string; signal?: AbortSignal } = {}): Promise<void> {
    const only = plainDirectory(options.only ?? '');
    const wanted = [...this.entries.values()].filter(
      ({ path }) => only === '' || path === only || path.startsWith(`${only}/`),
    );
    await exportEntries(directory, wanted, {
      pack: this.#pack,
      isSafe: ({ path }) => followPath(this, path).kind !== 'outside',
      ...(options.signal ? { signal: options.signal } : {}),
    });
  }

  #file(path: string): PackedEntry {
    const entry = this.lookup(path);
    if (!entry || entry === 'directory' || entry.digest === undefined) {
      throw new FileAccessError('invalid-input', `There is no file ${path} in the source`);
    }
    return entry;
  }

  #namesByDirectory(): Map<string, string[]> {
    this.#directories ??= namesByDirectory(this.entries.keys());
    return this.#directories;
  }
}

/** Directories are those that have entries in them, and the root. */
function namesByDirectory(paths: Iterable<string>): Map<string, string[]> {
  const sets = new Map<string, Set<string>>([['', new Set()]]);
  for (const path of paths) {
    let name = path;
    while (true) {
      const cut = name.lastIndexOf('/');
      const parent = cut === -1 ? '' : name.slice(0, cut);
      const known = sets.get(parent);
      if (known) {
        known.add(name.slice(cut + 1));
        break;
      }
      sets.set(parent, new Set([name.slice(cut + 1)]));
      name = parent;
    }
  }
  return new Map([...sets].map(([directory, names]) => [directory, [...names].sort(comparePaths)]));
}

/** `.`, `./a/` and the like as they are written in entries. */
function plainDirectory(path: string): string {
  return path
    .split('/')
    .filter((name) => name !== '' && name !== '.')
    .join('/');
}
