import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Gzip } from 'fflate';
import { pack } from 'tar-stream';

/** A file of a package tarball. */
export interface PackedFile {
  /** Relative to the package. */
  path: string;
  executable: boolean;
  size: number;
  open(): Readable;
}

/** npm's own: zip cannot store earlier dates. */
const PACKED_AT = new Date('1985-10-26T08:15:00.000Z');
const LEVEL = 6;

/**
 * A package tarball as npm writes them, the same bytes for the same files on any machine: sorted, below `package/`,
 * fixed times and owners, compressed by a JavaScript deflate of a fixed version.
 */
export async function* writePackageTarball(files: readonly PackedFile[]): AsyncGenerator<Uint8Array> {
  const compressed: Uint8Array[] = [];
  const gzip = new Gzip({ level: LEVEL, mtime: 0 }, (chunk) => compressed.push(chunk));
  for await (const chunk of tarOf(files)) {
    gzip.push(chunk);
    yield* compressed.splice(0);
  }
  gzip.push(new Uint8Array(0), true);
  yield* compressed.splice(0);
}

async function* tarOf(files: readonly PackedFile[]): AsyncGenerator<Uint8Array> {
  const archive = pack();
  const filled = fill(archive, files).catch((error: Error) => archive.destroy(error));
  try {
    for await (const chunk of archive) yield chunk as Uint8Array;
  } finally {
    archive.destroy();
    await filled;
  }
}

async function fill(archive: ReturnType<typeof pack>, files: readonly PackedFile[]): Promise<void> {
  const sorted = files.toSorted((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
  for (const { path, executable, size, open } of sorted) {
    const entry = archive.entry({
      name: `package/${path}`,
      size,
      mode: executable ? 0o755 : 0o644,
      mtime: PACKED_AT,
      uid: 0,
      gid: 0,
    });
    await pipeline(open(), entry);
  }
  archive.finalize();
}
