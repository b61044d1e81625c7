import { createReadStream, type Dirent, realpathSync, statSync } from 'node:fs';
import { opendir, readFile, realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Readable } from 'node:stream';
import { FileAccessError, ValidationError } from '../../domain/errors.ts';
import { outsideError } from '../../domain/sources/follow-path.ts';
import { comparePaths } from '../../domain/sources/source-path.ts';
import type { SourceEntry, SourceFiles } from '../../domain/sources/source-tree.ts';

export interface FilesWanted {
  names: ReadonlySet<string>;
  /** Whether to go into a directory of that name. */
  isEntered(name: string): boolean;
  isKept(path: string): boolean;
  /** No more entries than these are kept in memory. */
  most: number;
  signal: AbortSignal;
}

export interface FoundFiles {
  files: DirectoryFiles;
  /** Links that lead to no file of the directory. */
  unusable: string[];
  /** There were more than were wanted. */
  isCut: boolean;
}

const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/**
 * The files of some names in a directory, however many others are beside them. What they refer to by other names is found
 * too, when it is asked for. Nobody else writes to the directory meanwhile.
 */
export class DirectoryFiles implements SourceFiles {
  readonly entries: ReadonlyMap<string, SourceEntry>;
  readonly #root: string;

  private constructor(root: string, entries: readonly SourceEntry[] = []) {
    this.#root = root;
    this.entries = new Map(entries.map((entry) => [entry.path, entry]));
  }

  /** None is found, but each can be asked for. */
  static async at(directory: string): Promise<DirectoryFiles> {
    return new DirectoryFiles(await realpath(directory));
  }

  static async find(directory: string, wanted: FilesWanted): Promise<FoundFiles> {
    const { most, isKept, signal } = wanted;
    const all = await DirectoryFiles.at(directory);
    const entries: SourceEntry[] = [];
    const unusable: string[] = [];
    let isCut = false;
    for await (const path of pathsIn(all.#root, wanted)) {
      signal.throwIfAborted();
      if (!isKept(path)) continue;
      isCut = entries.length + unusable.length === most;
      if (isCut) break;
      if (all.#isReadable(path)) entries.push({ path, mode: '100644', size: all.#file(path).size });
      else unusable.push(path);
    }
    entries.sort((a, b) => comparePaths(a.path, b.path));
    return { files: new DirectoryFiles(all.#root, entries), unusable: unusable.sort(comparePaths), isCut };
  }

  lookup(path: string): SourceEntry | 'directory' | null {
    const real = this.#realPath(path);
    if (real === null) return null;
    const found = statSync(real);
    if (found.isDirectory()) return 'directory';
    return found.isFile() ? { path: relative(this.#root, real), mode: '100644', size: found.size } : null;
  }

  async read(path: string, maxBytes = DEFAULT_MAX_BYTES): Promise<Buffer> {
    const { size, path: real } = this.#file(path);
    if (size > maxBytes) {
      throw new ValidationError(
        'package-rejected',
        `The file ${path} has ${size} bytes, more than the limit of ${maxBytes}`,
      );
    }
    return await readFile(join(this.#root, real));
  }

  open(path: string): Readable {
    return createReadStream(join(this.#root, this.#file(path).path));
  }

  #isReadable(path: string): boolean {
    try {
      const entry = this.lookup(path);
      return entry !== null && entry !== 'directory';
    } catch (error) {
      if (error instanceof ValidationError) return false;
      throw error;
    }
  }

  #file(path: string): SourceEntry {
    const entry = this.lookup(path);
    if (entry === null || entry === 'directory') {
      throw new FileAccessError('invalid-input', `There is no file ${path} in the source`);
    }
    return entry;
  }

  /** With all links followed; null when nothing is there. */
  #realPath(path: string): string | null {
    if (path.includes('\0')) return null;
    const real = existing(() => realpathSync.native(join(this.#root, path)));
    if (real !== null && real !== this.#root && !real.startsWith(`${this.#root}/`)) throw outsideError(path);
    return real;
  }
}

/** Directory by directory in the order of their names, as the walk goes on: only names that matter are in memory. */
async function* pathsIn(root: string, { names, isEntered, signal }: FilesWanted): AsyncGenerator<string> {
  const waiting = [''];
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    signal.throwIfAborted();
    const files: string[] = [];
    const directories: string[] = [];
    for await (const entry of await opened(join(root, directory))) {
      signal.throwIfAborted();
      const list = listOf(entry, directories, files, { names, isEntered });
      list?.push(directory === '' ? entry.name : `${directory}/${entry.name}`);
    }
    yield* files.sort(comparePaths);
    for (const next of directories.sort(comparePaths).reverse()) waiting.push(next);
  }
}

/** Names that are no text are not found again. */
async function opened(directory: string): Promise<Iterable<Dirent> | AsyncIterable<Dirent>> {
  return await opendir(directory, { bufferSize: 1024 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}

function listOf(
  entry: Dirent,
  directories: string[],
  files: string[],
  { names, isEntered }: Pick<FilesWanted, 'names' | 'isEntered'>,
): string[] | null {
  if (entry.isDirectory()) return isEntered(entry.name) ? directories : null;
  return names.has(entry.name) && (entry.isFile() || entry.isSymbolicLink()) ? files : null;
}

function existing(find: () => string): string | null {
  try {
    return find();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG'].includes(code)) return null;
    throw error;
  }
}
