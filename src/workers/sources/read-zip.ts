import { crc32 } from 'node:zlib';
import type * as yauzl from 'yauzl';
import { DomainError, UnsupportedFeature, ValidationError } from '../../domain/errors.ts';
import { openZip, type ZipFile } from '../zip-file.ts';
import {
  ArchiveMembers,
  brokenArchive,
  MAX_LINK_BYTES,
  memberPath,
  refusedMember,
} from './archive-member.ts';
import type { UnpackLimits } from './unpack-limits.ts';

/** Lists a zip file. Contents are read from it later, so the caller closes `zip` when it has read them. */
export async function readZip(
  path: string,
  limits: UnpackLimits,
): Promise<{ members: ArchiveMembers; zip: Pick<ZipFile, 'close'> }> {
  const zip = await openZip(path).catch((error: Error) => {
    throw brokenArchive(error.message, error);
  });
  try {
    limits.countEntries(zip.entryCount);
    const members = new ArchiveMembers();
    const parts: Part[] = [];
    for await (const entry of zip.eachEntry()) {
      limits.countBytes(entry.uncompressedSize);
      parts.push({
        start: entry.relativeOffsetOfLocalHeader,
        size: entry.compressedSize,
        name: entry.fileName,
      });
      await readMember(zip, entry, members);
    }
    refuseOverlaps(parts);
    return { members, zip };
  } catch (error) {
    zip.close();
    throw asFailure(error as Error);
  }
}

const TYPE_MASK = 0o170000;
const KINDS = new Map([
  [0x1000, 'fifo'],
  [0x2000, 'character-device'],
  [0x6000, 'block-device'],
  [0xc000, 'socket'],
]);
const SYMLINK = 0o120000;

async function readMember(zip: ZipFile, entry: yauzl.Entry, members: ArchiveMembers): Promise<void> {
  const path = memberPath(entry.fileName, 'Zip');
  if (entry.fileName.endsWith('/')) return;
  if (entry.generalPurposeBitFlag & 1) {
    throw new UnsupportedFeature('unsupported-feature', `The archive has the encrypted file ${path}`);
  }
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    const method = `The archive has the file ${path}, packed by method ${entry.compressionMethod}`;
    throw new UnsupportedFeature('unsupported-feature', method, { hint: 'Use deflate, or no compression.' });
  }
  const mode = unixMode(entry);
  const kind = KINDS.get(mode & TYPE_MASK);
  if (kind) throw refusedMember(path, kind);
  const time = timeOf(entry);
  const size = entry.uncompressedSize;
  if ((mode & TYPE_MASK) === SYMLINK) {
    if (size > MAX_LINK_BYTES) throw brokenArchive(`the link ${path} has a target of ${size} bytes`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of contentOf(zip, entry)) chunks.push(chunk);
    members.add({ path, mode: '120000', size, target: Buffer.concat(chunks).toString(), time });
    return;
  }
  members.add({ path, mode: mode & 0o111 ? '100755' : '100644', size, time, content: contentOf(zip, entry) });
}

function contentOf(zip: ZipFile, entry: yauzl.Entry): AsyncIterable<Uint8Array> {
  return {
    async *[Symbol.asyncIterator]() {
      let checksum = 0;
      try {
        for await (const chunk of await zip.openReadStreamPromise(entry)) {
          checksum = crc32(chunk as Buffer, checksum);
          yield chunk as Buffer;
        }
      } catch (error) {
        throw asFailure(error as Error);
      }
      if (checksum !== entry.crc32) throw brokenArchive(`the checksum of ${entry.fileName} is wrong`);
    },
  };
}

interface Part {
  start: number;
  size: number;
  name: string;
}

const LOCAL_HEADER_BYTES = 30;

/** Files that share their bytes make a small archive expand without end. */
function refuseOverlaps(parts: Part[]): void {
  parts.sort((a, b) => a.start - b.start);
  let end = 0;
  for (const { start, size, name } of parts) {
    if (start < end) throw brokenArchive(`${name} overlaps another file`);
    end = start + LOCAL_HEADER_BYTES + size;
  }
}

/** 0 when the archive was made on a system without such modes. */
function unixMode({ versionMadeBy, externalFileAttributes }: yauzl.Entry): number {
  const system = versionMadeBy >> 8;
  return system === 3 || system === 19 ? externalFileAttributes >>> 16 : 0;
}

/** Times without a zone are taken as UTC, so that the same archive gives the same source everywhere. */
function timeOf(entry: yauzl.Entry): number {
  const lastModified = entry.getLastModDate as (options: { timezone: 'UTC' }) => Date;
  const seconds = Math.floor(lastModified.call(entry, { timezone: 'UTC' }).getTime() / 1000);
  return Number.isFinite(seconds) ? Math.max(0, seconds) : 0;
}

function asFailure(error: Error): Error {
  if (error instanceof DomainError) return error;
  if (/^(?:invalid relative path|absolute path)/.test(error.message)) {
    return new ValidationError('path-outside-root', 'Attempted Path Traversal in Zip File', { cause: error });
  }
  return brokenArchive(error.message, error);
}
