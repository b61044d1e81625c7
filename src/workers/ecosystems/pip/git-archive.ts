import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Gzip } from 'fflate';
import { type Pack, pack } from 'tar-stream';
import type { SourceEntry, SourceTree } from '../../../domain/sources/source-tree.ts';

const LEVEL = 6;
/** 1980-01-01: zip and wheels store nothing earlier. */
const EARLIEST = 315_532_800;

/**
 * A tree as `tar.gz` with the root folder `app`, the same bytes for the same tree on any machine; with the git directory
 * in `gitDirectory`, if there is one, which is not the same everywhere (prefetch.md 14).
 */
export async function* writeGitArchive(
  tree: SourceTree,
  signal: AbortSignal,
  gitDirectory: string | null = null,
): AsyncGenerator<Uint8Array> {
  const compressed: Uint8Array[] = [];
  const gzip = new Gzip({ level: LEVEL, mtime: 0 }, (chunk) => compressed.push(chunk));
  for await (const chunk of tarOf(tree, signal, gitDirectory)) {
    gzip.push(chunk);
    yield* compressed.splice(0);
  }
  gzip.push(new Uint8Array(0), true);
  yield* compressed.splice(0);
}

async function* tarOf(
  tree: SourceTree,
  signal: AbortSignal,
  gitDirectory: string | null,
): AsyncGenerator<Uint8Array> {
  const archive = pack();
  const filled = fill(archive, tree, signal, gitDirectory).catch((error: Error) => archive.destroy(error));
  try {
    for await (const chunk of archive) yield chunk as Uint8Array;
  } finally {
    archive.destroy();
    await filled;
  }
}

async function fill(
  archive: Pack,
  tree: SourceTree,
  signal: AbortSignal,
  gitDirectory: string | null,
): Promise<void> {
  const mtime = new Date(Math.max(tree.time, EARLIEST) * 1000);
  for (const entry of tree.entries.values()) {
    signal.throwIfAborted();
    const common = { name: `app/${entry.path}`, mtime, uid: 0, gid: 0 };
    if (entry.mode === '120000') {
      if (staysInside(entry))
        archive.entry({ ...common, type: 'symlink', linkname: entry.target!, mode: 0o777 });
    } else if (entry.digest !== undefined) {
      const mode = entry.mode === '100755' ? 0o755 : 0o644;
      await pipeline(tree.open(entry.path), archive.entry({ ...common, size: entry.size, mode }), { signal });
    }
  }
  if (gitDirectory !== null) await addGitDirectory(archive, gitDirectory, mtime, signal);
  archive.finalize();
}

async function addGitDirectory(
  archive: Pack,
  directory: string,
  mtime: Date,
  signal: AbortSignal,
): Promise<void> {
  const found = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = found.map((entry) => ({ entry, path: join(entry.parentPath, entry.name) }));
  for (const { entry, path } of paths.sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const common = { name: `app/.git/${path.slice(directory.length + 1)}`, mtime, uid: 0, gid: 0 };
    if (entry.isDirectory()) {
      archive.entry({ ...common, type: 'directory', mode: 0o755 });
      continue;
    }
    const { size } = await stat(path);
    await pipeline(createReadStream(path), archive.entry({ ...common, size, mode: 0o644 }), { signal });
  }
}

function staysInside({ path, target = '' }: SourceEntry): boolean {
  const joined = posix.join(posix.dirname(path), target);
  return !posix.isAbsolute(target) && joined !== '..' && !joined.startsWith('../');
}
