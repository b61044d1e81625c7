import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { InvalidFileFormat, RepositoryAccessError } from '../../domain/errors.ts';
import type { NewEntry } from '../../domain/sources/source-snapshot.ts';
import type { SourceMode } from '../../domain/sources/source-tree.ts';
import { type GitOptions, type GitProcess, git, startGit } from './git-command.ts';

/** A commit's tree, read from git objects: no checkout, no filters, no export attributes (prefetch.md 14). */
export interface CommitInfo {
  treeId: string;
  /** Committer time, seconds since 1970. */
  time: number;
}

export interface ListedEntry {
  path: string;
  mode: SourceMode;
  id: string;
}

const LARGEST_LINK = 4096;
const LFS_POINTER = Buffer.from('version https://git-lfs.github.com/spec/v1\n');
const LARGEST_POINTER = 1024;

export async function readCommit(
  directory: string,
  commit: string,
  options: GitOptions,
): Promise<CommitInfo> {
  const output = await git(['show', '--no-patch', '--no-show-signature', '--format=%T %ct', commit], {
    ...options,
    cwd: directory,
  });
  const [treeId = '', time = ''] = output.trim().split(' ');
  return { treeId, time: Number(time) };
}

/** The tree of one repository, to be read below a directory of the whole. */
export interface ListedTree {
  directory: string;
  /** In the order of the paths, which begin with the directory's own. */
  entries: ListedEntry[];
}

/**
 * Every entry of one or more trees (a commit and its submodules) in the order of their paths, with contents streamed from
 * one `git cat-file` for each repository. `onLfsPointer` is told of files that are pointers to Git LFS: they are kept.
 */
export async function* readTrees(
  trees: readonly ListedTree[],
  options: GitOptions,
  onLfsPointer: (path: string) => void,
): AsyncGenerator<NewEntry> {
  const readers: ObjectReader[] = [];
  try {
    const all: { entry: ListedEntry; reader: ObjectReader | null; key: Buffer }[] = [];
    for (const { directory, entries } of trees) {
      const blobs = entries.filter((entry) => entry.mode !== '160000');
      const reader = blobs.length === 0 ? null : await ObjectReader.start(directory, blobs, options);
      if (reader) readers.push(reader);
      for (const entry of entries) all.push({ entry, reader, key: Buffer.from(entry.path) });
    }
    all.sort((a, b) => Buffer.compare(a.key, b.key));
    for (const { entry, reader } of all) {
      const { path, mode, id } = entry;
      if (mode === '160000') yield { path, mode, size: 0, commit: id };
      else yield* reader!.read(entry, onLfsPointer);
    }
    for (const reader of readers) await reader.end();
  } finally {
    for (const reader of readers) reader.kill();
  }
}

/** Objects of one repository, in the order in which they were asked for. */
class ObjectReader {
  readonly #process: GitProcess;
  readonly #bytes: ByteReader;

  private constructor(process: GitProcess) {
    this.#process = process;
    this.#bytes = new ByteReader(process.stdout);
  }

  static async start(
    directory: string,
    entries: readonly ListedEntry[],
    options: GitOptions,
  ): Promise<ObjectReader> {
    const process = await startGit(['cat-file', '--batch', '--buffer'], { ...options, cwd: directory });
    process.stdin.end(entries.map(({ id }) => `${id}\n`).join(''));
    return new ObjectReader(process);
  }

  async *read(
    { path, mode, id }: ListedEntry,
    onLfsPointer: (path: string) => void,
  ): AsyncGenerator<NewEntry> {
    const size = objectSize(await this.#bytes.line(), id, path);
    if (mode === '120000') {
      if (size > LARGEST_LINK)
        throw new InvalidFileFormat('unexpected-format', `The target of the link ${path} is too long`);
      yield { path, mode, size, target: (await this.#bytes.bytes(size)).toString('utf8') };
    } else {
      const head = await this.#bytes.peek(Math.min(size, LFS_POINTER.length));
      if (size <= LARGEST_POINTER && head.equals(LFS_POINTER)) onLfsPointer(path);
      yield { path, mode, size, content: this.#bytes.take(size), objectId: id };
    }
    await this.#bytes.bytes(1);
  }

  async end(): Promise<void> {
    await this.#process.done;
  }

  kill(): void {
    this.#process.kill();
  }
}

/** The entries of a commit's tree, each path below `prefix`. */
export async function listTree(
  directory: string,
  commit: string,
  prefix: string,
  options: GitOptions,
): Promise<ListedTree> {
  const process = await startGit(['ls-tree', '-r', '-z', '--full-tree', commit], {
    ...options,
    cwd: directory,
  });
  process.stdin.end();
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdout) chunks.push(chunk as Buffer);
  await process.done;
  const entries: ListedEntry[] = [];
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (const row of splitAtNul(Buffer.concat(chunks))) {
    const tab = row.indexOf(9);
    const [mode = '', , id = ''] = row.subarray(0, tab).toString('latin1').split(' ');
    entries.push({
      mode: normalMode(mode),
      id,
      path: posix.join(prefix, decodePath(row.subarray(tab + 1), decoder)),
    });
  }
  if (entries.length > options.settings.limits.entries) {
    throw new InvalidFileFormat(
      'invalid-input',
      `The source has more than ${options.settings.limits.entries} entries`,
    );
  }
  return { directory, entries };
}

/** Old repositories have 100664 for files. */
function normalMode(mode: string): SourceMode {
  if (mode === '120000' || mode === '160000' || mode === '100755') return mode;
  return '100644';
}

function decodePath(bytes: Buffer, decoder: InstanceType<typeof TextDecoder>): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new InvalidFileFormat(
      'unexpected-format',
      `The source has a file name that is not UTF-8: ${bytes.toString('latin1')}`,
    );
  }
}

function* splitAtNul(bytes: Buffer): Generator<Buffer> {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    yield bytes.subarray(start, end);
    start = end + 1;
  }
}

/** Header of `cat-file --batch`: `<id> <type> <size>`, or `<id> missing`. */
function objectSize(header: string, id: string, path: string): number {
  const [found, type, size] = header.split(' ');
  if (found !== id || type !== 'blob') {
    throw new RepositoryAccessError('git-failed', 'Failed to fetch from the remote Git repository', {
      details: { path, reason: `the object ${id} is missing` },
      retryable: true,
    });
  }
  return Number(size);
}

/** Reads lines and counted bytes from a stream, with only what has arrived in memory. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.#chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  async line(): Promise<string> {
    for (;;) {
      const end = this.#buffer.indexOf(10);
      if (end >= 0) {
        const line = this.#buffer.subarray(0, end).toString('latin1');
        this.#buffer = this.#buffer.subarray(end + 1);
        return line;
      }
      if (!(await this.#more())) return this.#buffer.toString('latin1');
    }
  }

  async peek(count: number): Promise<Buffer> {
    while (this.#buffer.length < count && (await this.#more()));
    return this.#buffer.subarray(0, count);
  }

  async bytes(count: number): Promise<Buffer> {
    const taken = await this.peek(count);
    this.#buffer = this.#buffer.subarray(taken.length);
    return taken;
  }

  /** The next bytes as they arrive; the caller must read all of them before anything else. */
  async *take(count: number): AsyncGenerator<Buffer> {
    for (let left = count; left > 0; ) {
      if (this.#buffer.length === 0 && !(await this.#more())) return;
      const chunk = this.#buffer.subarray(0, left);
      this.#buffer = this.#buffer.subarray(chunk.length);
      left -= chunk.length;
      yield chunk;
    }
  }

  async #more(): Promise<boolean> {
    const { value, done } = await this.#chunks.next();
    if (done) return false;
    this.#buffer = this.#buffer.length === 0 ? value : Buffer.concat([this.#buffer, value]);
    return true;
  }
}

/** Where a submodule of a repository lies, by its path: URLs of `.gitmodules`, relative ones resolved. */
export function submoduleUrls(gitmodules: string, parentUrl: string): Map<string, string> {
  const urls = new Map<string, string>();
  let path: string | null = null;
  let url: string | null = null;
  const finish = (): void => {
    if (path !== null && url !== null) urls.set(posix.normalize(path), resolveSubmoduleUrl(url, parentUrl));
    path = null;
    url = null;
  };
  for (const line of gitmodules.split(/\r?\n/)) {
    if (/^\s*\[/.test(line)) finish();
    const setting = /^\s*(path|url)\s*=\s*"?(.*?)"?\s*$/i.exec(line);
    if (setting?.[1]?.toLowerCase() === 'path') path = setting[2]!;
    if (setting?.[1]?.toLowerCase() === 'url') url = setting[2]!;
  }
  finish();
  return urls;
}

/** `./x` and `../x` count from the parent repository's URL, as `git submodule` does it. */
function resolveSubmoduleUrl(url: string, parentUrl: string): string {
  if (!url.startsWith('./') && !url.startsWith('../')) return url;
  let base = parentUrl.replace(/\/+$/, '');
  let rest = url;
  for (;;) {
    if (rest.startsWith('./')) {
      rest = rest.slice(2);
    } else if (rest.startsWith('../')) {
      rest = rest.slice(3);
      base = base.replace(/[/:][^/:]*$/, '');
    } else {
      return `${base}/${rest}`;
    }
  }
}
