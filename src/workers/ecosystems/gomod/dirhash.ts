import { createHash, hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { inflateRaw, inflateRawSync } from 'node:zlib';
import * as yauzl from 'yauzl';
import type { Limits } from '../../../domain/config.ts';
import { DomainError, ValidationError } from '../../../domain/errors.ts';
import type { BlobStore, StoredBlob } from '../../../domain/storage/blob-store.ts';
import { UnpackLimits } from '../../sources/unpack-limits.ts';

/** What yauzl 3 has beyond its types. */
interface ZipFile {
  close(): void;
  entryCount: number;
  eachEntry(): AsyncIterable<Entry>;
  openReadStreamPromise(entry: Entry): Promise<Readable>;
}
type Entry = Omit<yauzl.Entry, 'fileName'> & { fileName: Buffer };
const { fromBufferPromise, fromRandomAccessReaderPromise } = yauzl as unknown as {
  fromBufferPromise(buffer: Buffer, options: yauzl.Options): Promise<ZipFile>;
  fromRandomAccessReaderPromise(
    reader: yauzl.RandomAccessReader,
    size: number,
    options: yauzl.Options,
  ): Promise<ZipFile>;
};

/** Zip files up to this size are read as a whole: much faster, because they hold many small files. */
const WHOLE_BYTES = 48 * 1024 * 1024;
/** Files up to this size are inflated on the spot; larger ones beside the event loop. */
const SMALL_BYTES = 16 * 1024;

/** Go's `h1:` hash of a go.mod file with this SHA-256. */
export function goModHash(sha256: string): string {
  return summarise([{ name: Buffer.from('go.mod'), sha256 }]);
}

/** Go's `h1:` hash of a module's zip file. Throws ValidationError when it is no zip file or too large. */
export async function goZipHash(
  fileName: string,
  blob: StoredBlob,
  blobs: BlobStore,
  limits: Limits,
): Promise<string> {
  const counted = new UnpackLimits(limits, blob.size);
  try {
    return blob.size <= WHOLE_BYTES
      ? await hashWhole(await blobs.readWhole(blob.digest, WHOLE_BYTES), counted)
      : await hashInParts(blob, blobs, counted);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new ValidationError('package-rejected', `The file ${fileName} is not a valid module archive`, {
      cause: error,
      hint: (error as Error).message,
    });
  }
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

async function hashInParts(
  { digest, size }: StoredBlob,
  blobs: BlobStore,
  counted: UnpackLimits,
): Promise<string> {
  const zip = await fromRandomAccessReaderPromise(new BlobReader(blobs, digest), size, OPTIONS);
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

class BlobReader extends yauzl.RandomAccessReader {
  readonly #blobs: BlobStore;
  readonly #digest: StoredBlob['digest'];

  constructor(blobs: BlobStore, digest: StoredBlob['digest']) {
    super();
    this.#blobs = blobs;
    this.#digest = digest;
  }

  override _readStreamForRange(start: number, end: number): Readable {
    return this.#blobs.read(this.#digest, { start, end });
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
