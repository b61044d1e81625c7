import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { BundleFile } from '../../domain/bundles/bundle-file.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';

/** A directory on its way into a bundle. */
export interface StoredDirectory {
  files: BundleFile[];
  /** Also the empty ones. */
  directories: string[];
}

/** Stores what lies below a directory of our own making; `bundlePath` is its place in the bundle. */
export async function storeDirectory(
  { blobs, signal }: { blobs: BlobStore; signal: AbortSignal },
  directory: string,
  bundlePath: string,
): Promise<StoredDirectory> {
  const stored: StoredDirectory = { files: [], directories: [bundlePath] };
  const found = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of found) {
    const below = join(entry.parentPath, entry.name);
    const path = posix.join(bundlePath, below.slice(directory.length + 1));
    if (entry.isDirectory()) stored.directories.push(path);
    if (!entry.isFile()) continue;
    const { digest, size, crc32 } = await blobs.write(createReadStream(below), {
      durability: 'batch',
      signal,
    });
    stored.files.push({ path, mode: 0o644, digest, size, crc32 });
  }
  stored.files.sort((a, b) => (a.path < b.path ? -1 : 1));
  stored.directories.sort();
  return stored;
}
