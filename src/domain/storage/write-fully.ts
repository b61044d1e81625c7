import type { FileHandle } from 'node:fs/promises';

/** Writes all chunks, at the position or where the file stands; one call of the system may take only a part of them. */
export async function writeFully(
  file: FileHandle,
  chunks: readonly Uint8Array[],
  position: number | null = null,
): Promise<void> {
  let left = chunks;
  let at = position;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left, at ?? undefined);
    if (at !== null) at += bytesWritten;
    left = behind(left, bytesWritten);
  }
}

/** What is left of the chunks when so many bytes are written. */
function behind(chunks: readonly Uint8Array[], written: number): Uint8Array[] {
  let skip = written;
  return chunks.flatMap((chunk) => {
    const skipped = Math.min(skip, chunk.byteLength);
    skip -= skipped;
    return skipped === chunk.byteLength ? [] : [chunk.subarray(skipped)];
  });
}
