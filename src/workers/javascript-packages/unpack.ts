import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Limits } from '../../domain/config.ts';
import { FileAccessError } from '../../domain/errors.ts';
import type { BlobStore, StoredBlob } from '../../domain/storage/blob-store.ts';
import type { PackedFile } from './tarball.ts';

export interface UnpackOptions {
  limits: Limits;
  /** For messages. */
  described: string;
  signal: AbortSignal;
}

/** So much may come out of any archive, however small it is. */
const RATIO_FREE_BYTES = 16 * 1024 * 1024;

/**
 * Spools the regular files of a package tarball into a directory, under numbers. As npm does, the first part of each
 * name is dropped, links and files beside the package (`._package` of macOS) are left out, and the last of two files with
 * one name wins.
 */
export async function unpackTarball(
  blobs: BlobStore,
  blob: StoredBlob,
  directory: string,
  { limits, described, signal }: UnpackOptions,
): Promise<PackedFile[]> {
  const files = new Map<string, PackedFile>();
  const maxBytes = Math.min(limits.unpackedBytes, blob.size * limits.compressionRatio + RATIO_FREE_BYTES);
  let bytes = 0;
  let entries = 0;
  const archive = extract();
  const fed = pipeline([...(await decompressed(blobs, blob)), archive], { signal });
  try {
    for await (const entry of archive) {
      const { header } = entry;
      bytes += header.size ?? 0;
      if (++entries > limits.entries || bytes > maxBytes) throw unreadable(described, 'unpacks to too much');
      const path = packagePath(header.name);
      if (header.type !== 'file' && header.type !== 'contiguous-file') {
        entry.resume();
        continue;
      }
      if (path === null) throw unreadable(described, `has the unsafe member ${JSON.stringify(header.name)}`);
      if (path === '') {
        entry.resume();
        continue;
      }
      const spooled = join(directory, String(entries));
      await pipeline(entry, createWriteStream(spooled), { signal });
      files.set(path, {
        path,
        executable: ((header.mode ?? 0) & 0o111) !== 0,
        size: header.size ?? 0,
        open: () => createReadStream(spooled),
      });
    }
    await fed;
  } catch (cause) {
    archive.destroy();
    await fed.catch(() => {});
    signal.throwIfAborted();
    if (cause instanceof FileAccessError) throw cause;
    throw unreadable(described, `cannot be unpacked: ${(cause as Error).message}`);
  }
  return [...files.values()];
}

/** npm reads tarballs that are not compressed, too. */
async function decompressed(
  blobs: BlobStore,
  blob: StoredBlob,
): Promise<(Readable | NodeJS.ReadWriteStream)[]> {
  const magic: Buffer[] = [];
  for await (const chunk of blobs.read(blob.digest, { start: 0, end: Math.min(2, blob.size) }))
    magic.push(chunk);
  const isGzip = Buffer.concat(magic).equals(Buffer.from([0x1f, 0x8b]));
  return isGzip ? [blobs.read(blob.digest), createGunzip()] : [blobs.read(blob.digest)];
}

/** The name without its first part, empty for what lies beside the package; null for names that leave it. */
function packagePath(name: string): string | null {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  const isUnsafe = name.startsWith('/') || parts.includes('..') || /[\0\\]/.test(name);
  return isUnsafe ? null : parts.slice(1).join('/');
}

function unreadable(described: string, problem: string): FileAccessError {
  return new FileAccessError(
    'package-rejected',
    `Could not process dependency ${described}: the archive ${problem}`,
  );
}
