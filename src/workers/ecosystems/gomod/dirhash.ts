import { createHash, hash, randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { inflateRaw, inflateRawSync } from 'node:zlib';
import * as yauzl from 'yauzl';
import type { Limits } from '../../../domain/config.ts';
import { DomainError, ValidationError } from '../../../domain/errors.ts';
import { UnpackLimits } from '../../../domain/sources/archives/unpack-limits.ts';

/** What yauzl 3 has beyond its types. */
interface ZipFile {
  close(): void;
  entryCount: number;
  eachEntry(): AsyncIterable<Entry>;
  openReadStreamPromise(entry: Entry): Promise<Readable>;
}
type Entry = Omit<yauzl.Entry, 'fileName'> & { fileName: Buffer };
const { fromBufferPromise, openPromise } = yauzl as unknown as {
  fromBufferPromise(buffer: Buffer, options: yauzl.Options): Promise<ZipFile>;
  openPromise(path: string, options: yauzl.Options): Promise<ZipFile>;
};

/** Zip files up to this size are read as a whole: much faster, because they hold many small files. */
const WHOLE_BYTES = 16 * 1024 * 1024;
/** Files up to this size are inflated on the spot; larger ones beside the event loop. */
const SMALL_BYTES = 16 * 1024;

/** Go's `h1:` hash of a go.mod file with this SHA-256. */
export function goModHash(sha256: string): string {
  return summarise([{ name: Buffer.from('go.mod'), sha256 }]);
}

/**
 * Go's `h1:` hash of a module's zip file. A large one lies in `scratch` meanwhile. Throws ValidationError when it is no
 * zip file or unpacks to more than the limits.
 */
export async function goZipHash(
  fileName: string,
  content: AsyncIterable<Uint8Array>,
  limits: Limits,
  scratch: string,
): Promise<string> {
  const spool = join(scratch, `zip-${randomUUID()}`);
  try {
    const { size, whole } = await collect(content, spool);
    const counted = new UnpackLimits(limits, size);
    return whole ? await hashWhole(whole, counted) : await hashInParts(spool, counted);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new ValidationError('package-rejected', `The file ${fileName} is not a valid module archive`, {
      cause: error,
      hint: (error as Error).message,
    });
  } finally {
    await rm(spool, { force: true });
  }
}

/** Small content as one buffer; large content into the file. */
async function collect(
  content: AsyncIterable<Uint8Array>,
  spool: string,
): Promise<{ size: number; whole: Buffer | null }> {
  const chunks: Uint8Array[] = [];
  let file: FileHandle | null = null;
  let size = 0;
  try {
    for await (const chunk of content) {
      chunks.push(chunk);
      size += chunk.byteLength;
      if (size <= WHOLE_BYTES) continue;
      file ??= await open(spool, 'wx', 0o600);
      await file.writeFile(Buffer.concat(chunks.splice(0)));
    }
  } finally {
    await file?.close();
  }
  return { size, whole: file ? null : Buffer.concat(chunks) };
}

interface HashedFile {
  name: Buffer;
  sha256: string;
}

const OPTIONS: yauzl.Options = {
  lazyEntries: true,
  autoClose: false,
  decodeStrings: false,
  validateEntrySizes: true,
};

const inflate = promisify(inflateRaw);

async function hashWhole(bytes: Buffer, counted: UnpackLimits): Promise<string> {
  const zip = await fromBufferPromise(bytes, OPTIONS);
  counted.countEntries(zip.entryCount);
  const files: (HashedFile | Promise<HashedFile>)[] = [];
  for await (const entry of zip.eachEntry()) {
    counted.countBytes(entry.uncompressedSize);
    files.push(hashEntry(bytes, entry));
  }
  return summarise(await Promise.all(files));
}

const LOCAL_HEADER_BYTES = 30;
const LOCAL_HEADER_SIGNATURE = 0x04034b50;

function hashEntry(bytes: Buffer, entry: Entry): HashedFile | Promise<HashedFile> {
  const at = entry.relativeOffsetOfLocalHeader;
  if (bytes.readUInt32LE(at) !== LOCAL_HEADER_SIGNATURE) throw new Error('a file header is damaged');
  const start = at + LOCAL_HEADER_BYTES + bytes.readUInt16LE(at + 26) + bytes.readUInt16LE(at + 28);
  const packed = bytes.subarray(start, start + entry.compressedSize);
  const size = entry.uncompressedSize;
  const name = entry.fileName;
  if (packed.length !== entry.compressedSize) throw new Error('the archive is cut off');
  if (entry.compressionMethod === 0) return { name, sha256: hash('sha256', packed, 'hex') };
  if (entry.compressionMethod !== 8) throw new Error(`unknown compression ${entry.compressionMethod}`);
  const finish = (content: Buffer): HashedFile => {
    if (content.length !== size) throw new Error(`a file has ${content.length} bytes, not ${size}`);
    return { name, sha256: hash('sha256', content, 'hex') };
  };
  const options = { maxOutputLength: Math.max(size, 1) };
  if (size <= SMALL_BYTES) return finish(inflateRawSync(packed, options));
  const inflated = inflate(packed, options).then(finish);
  inflated.catch(() => undefined);
  return inflated;
}

async function hashInParts(path: string, counted: UnpackLimits): Promise<string> {
  const zip = await openPromise(path, OPTIONS);
  try {
    counted.countEntries(zip.entryCount);
    const files: HashedFile[] = [];
    for await (const entry of zip.eachEntry()) {
      const sum = createHash('sha256');
      for await (const chunk of counted.counted(await zip.openReadStreamPromise(entry))) sum.update(chunk);
      files.push({ name: entry.fileName, sha256: sum.digest('hex') });
    }
    return summarise(files);
  } finally {
    zip.close();
  }
}

/** The hash of a listing in the form of sha256sum, sorted by name. */
function summarise(files: HashedFile[]): string {
  const total = createHash('sha256');
  for (const { name, sha256 } of files.sort((a, b) => Buffer.compare(a.name, b.name))) {
    if (name.includes('\n')) throw new Error('a file name contains a line break');
    total.update(`${sha256}  `).update(name).update('\n');
  }
  return `h1:${total.digest('base64')}`;
}
