import type { BlobStore, Digest } from '../../storage/blob-store.ts';
import { brokenArchive } from './archive-entry.ts';

export type ArchiveFormat = 'zip' | 'tar' | 'tar.gz';

/** By what the bytes say; names and content types of uploads say anything. */
export async function archiveFormat(blobs: BlobStore, digest: Digest, size: number): Promise<ArchiveFormat> {
  const format = formatOf(await blobs.readPart(digest, { start: 0, end: Math.min(size, TAR_BLOCK) }));
  if (format === null) throw brokenArchive('it is neither zip nor tar nor tar.gz');
  return format;
}

const TAR_BLOCK = 512;

function formatOf(head: Buffer): ArchiveFormat | null {
  if (head.length >= 4 && /^PK(?:\x03\x04|\x05\x06)/.test(head.toString('latin1', 0, 4))) return 'zip';
  if (head[0] === 0x1f && head[1] === 0x8b) return 'tar.gz';
  if (head.length < TAR_BLOCK) return null;
  return head.toString('latin1', 257, 262) === 'ustar' || hasTarChecksum(head) ? 'tar' : null;
}

/** Archives of before 1988 have no other mark. */
function hasTarChecksum(header: Buffer): boolean {
  const stated = Number.parseInt(header.toString('latin1', 148, 156).replace(/[\0 ]+/g, ''), 8);
  let sum = 8 * 0x20;
  for (const [index, byte] of header.entries()) if (index < 148 || index >= 156) sum += byte;
  return header.some((byte) => byte !== 0) && stated === sum;
}
