import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { SourceChange } from '../../../domain/bundles/bundle-file.ts';
import { digestOf } from '../../../domain/storage/digest-of.ts';
import type { ResolveContext } from '../ecosystem.ts';

/** How files of the copy differ from the source. Paths are relative to the source root. */
export interface Difference {
  written: string[];
  removed: string[];
}

/** Compares one file that the go command may have changed. */
export async function changedFile(
  { source }: ResolveContext,
  copy: string,
  path: string,
): Promise<Difference> {
  const content = await readFile(join(copy, path)).catch(() => null);
  const entry = source.entries.get(path);
  if (content === null) return { written: [], removed: entry ? [path] : [] };
  return { written: entry?.digest === digestOf(content) ? [] : [path], removed: [] };
}

/** Compares a directory that the go command wrote anew. */
export async function changedDirectory(
  { source, signal }: ResolveContext,
  copy: string,
  directory: string,
): Promise<Difference> {
  const found = await readdir(join(copy, directory), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  const now = new Set(
    found
      .filter((entry) => !entry.isDirectory())
      .map((entry) => posix.join(entry.parentPath.slice(copy.length + 1), entry.name)),
  );
  const written: string[] = [];
  for (const path of [...now].sort()) {
    signal.throwIfAborted();
    const entry = source.entries.get(path);
    if (entry?.digest === undefined || entry.digest !== digestOf(await readFile(join(copy, path)))) {
      written.push(path);
    }
  }
  const before = [...source.entries.keys()].filter((path) => path.startsWith(`${directory}/`));
  return { written, removed: before.filter((path) => !now.has(path)) };
}

/** The difference as changes of the bundle's `app/`, its files stored. */
export async function sourceChanges(
  { blobs, signal }: ResolveContext,
  copy: string,
  { written, removed }: Difference,
): Promise<SourceChange[]> {
  const changes: SourceChange[] = removed.map((path) => ({ kind: 'remove', path }));
  for (const path of written) {
    const { digest, size, crc32 } = await blobs.write(createReadStream(join(copy, path)), {
      durability: 'batch',
      signal,
    });
    changes.push({ kind: 'write', path, file: { path: `app/${path}`, mode: 0o644, digest, size, crc32 } });
  }
  return changes;
}
