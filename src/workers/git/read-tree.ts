import { InvalidRepoStructure, ValidationError } from '../../domain/errors.ts';
import { comparePaths } from '../../domain/sources/source-path.ts';
import type { NewEntry } from '../../domain/sources/source-snapshot.ts';
import type { SourceMode } from '../../domain/sources/source-tree.ts';
import { type Git, GitFailure } from './git-command.ts';
import { DamagedRepositoryError, ObjectReader } from './object-reader.ts';

export interface CommitFacts {
  /** The commit itself when an id of an annotated tag was given. */
  commit: string;
  treeId: string;
  /** The committer's, seconds since 1970. */
  time: number;
}

/** An entry of a commit's tree, before its content is read. */
export interface TreeRow {
  /** Where its objects are. */
  gitDirectory: string;
  path: string;
  mode: SourceMode;
  objectId: string;
  size: number;
}

/** Null when the id (or the name of a ref) names no commit of the repository. One process, since each takes 10 ms. */
export async function readCommit(git: Git, gitDirectory: string, id: string): Promise<CommitFacts | null> {
  if (/[\0\n]/.test(id)) return null;
  const input = `${id}^{commit}\n`;
  const answer = await git.text(['cat-file', '--batch'], { gitDirectory, input }).catch(damaged);
  const [, commit] = /^([0-9a-f]{40,64}) commit \d+\n/.exec(answer) ?? [];
  if (commit === undefined) return null;
  const head = answer.slice(answer.indexOf('\n') + 1).split('\n\n', 1)[0]!;
  const treeId = /^tree ([0-9a-f]+)$/m.exec(head)?.[1];
  const time = /^committer .*?(-?\d{1,12}) [+-]\d+$/m.exec(head)?.[1];
  if (treeId === undefined) throw new DamagedRepositoryError(`The commit ${commit} has no tree`);
  return { commit, treeId, time: Math.max(0, Number(time ?? 0)) };
}

/**
 * All files, links and submodules of a tree, in git's order; nothing is checked out, so no filter and no attribute has a
 * say. Refuses trees beyond the limits before any content is read.
 */
export async function listTree(git: Git, gitDirectory: string, treeId: string): Promise<TreeRow[]> {
  const { limits } = git.settings;
  const listing = git.stream(['ls-tree', '-r', '-z', '-l', '--full-tree', treeId], { gitDirectory });
  listing.stdin.end();
  const rows: TreeRow[] = [];
  let bytes = 0;
  try {
    for await (const record of recordsOf(listing.stdout)) {
      const row = parseRow(record, gitDirectory);
      bytes += row.size;
      rows.push(row);
      if (rows.length > limits.entries) {
        throw new ValidationError('package-rejected', `The source has more than ${limits.entries} entries`);
      }
      if (bytes > limits.unpackedBytes) {
        throw new ValidationError(
          'package-rejected',
          `The files of the source have more than ${limits.unpackedBytes} bytes`,
        );
      }
    }
    await listing.done.catch(damaged);
  } finally {
    listing.stop();
  }
  return rows;
}

/** The contents of the rows, for a snapshot, sorted by path. Rows of several repositories may be mixed. */
export async function* readRows(git: Git, rows: readonly TreeRow[]): AsyncGenerator<NewEntry> {
  const sorted = rows.toSorted((a, b) => comparePaths(a.path, b.path));
  const ids = Map.groupBy(sorted.filter(hasContent), (row) => row.gitDirectory);
  const readers = new Map<string, ObjectReader>();
  const readerOf = (gitDirectory: string): ObjectReader => {
    let reader = readers.get(gitDirectory);
    if (!reader) {
      const wanted = ids.get(gitDirectory)!.map((row) => row.objectId);
      reader = new ObjectReader(git, gitDirectory, wanted);
      readers.set(gitDirectory, reader);
    }
    return reader;
  };
  try {
    for (const row of sorted) {
      const { path, mode, objectId, size } = row;
      if (!hasContent(row)) {
        yield { path, mode, size: 0, commit: objectId };
        continue;
      }
      const content = await readerOf(row.gitDirectory).next(objectId, 'blob', size);
      if (mode === '120000')
        yield { path, mode, size, target: await linkTarget(path, size, content), objectId };
      else yield { path, mode, size, content, objectId };
    }
  } finally {
    for (const reader of readers.values()) reader.close();
  }
}

function hasContent(row: TreeRow): boolean {
  return row.mode !== '160000';
}

const MAX_LINK_BYTES = 4096;

async function linkTarget(path: string, size: number, content: AsyncIterable<Uint8Array>): Promise<string> {
  if (size > MAX_LINK_BYTES) {
    throw new InvalidRepoStructure(
      'unexpected-format',
      `The symbolic link ${path} has a target of more than ${MAX_LINK_BYTES} bytes`,
    );
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function parseRow(record: Buffer, gitDirectory: string): TreeRow {
  const cut = record.indexOf(0x09);
  const [rawMode = '', , objectId = '', size = ''] = record.subarray(0, cut).toString().split(/ +/);
  const path = record.subarray(cut + 1).toString();
  const mode = modeOf(rawMode);
  if (mode === null) {
    throw new InvalidRepoStructure(
      'unexpected-format',
      `The entry ${path} of the source has the mode ${rawMode}`,
    );
  }
  if (mode !== '160000' && !/^\d+$/.test(size)) {
    throw new DamagedRepositoryError(`The git object ${objectId} of ${path} is missing`);
  }
  return { gitDirectory, path, mode, objectId, size: mode === '160000' ? 0 : Number(size) };
}

/** Git of old times wrote group-writable files. */
function modeOf(mode: string): SourceMode | null {
  if (mode === '120000' || mode === '160000') return mode;
  if (!/^100[0-7]{3}$/.test(mode)) return null;
  return Number.parseInt(mode.slice(3), 8) & 0o100 ? '100755' : '100644';
}

async function* recordsOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = rest.indexOf(0); end !== -1; end = rest.indexOf(0, start)) {
      yield rest.subarray(start, end);
      start = end + 1;
    }
    rest = rest.subarray(start);
  }
}

function damaged(error: unknown): never {
  if (error instanceof GitFailure) throw new DamagedRepositoryError(error.message, { cause: error });
  throw error;
}
