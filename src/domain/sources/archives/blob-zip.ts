import * as yauzl from 'yauzl';
import type { BlobStore, Digest } from '../../storage/blob-store.ts';
import type { ZipFile } from './zip-file.ts';

/** A zip file in a blob store, of whatever kind. */
export interface BlobZip extends ZipFile {
  readLocalFileHeaderPromise(
    entry: yauzl.Entry,
    options: { minimal: true },
  ): Promise<{ fileDataStart: number }>;
  openReadStreamPromise(
    entry: yauzl.Entry,
    options?: { decodeFileData: false },
  ): ReturnType<ZipFile['openReadStreamPromise']>;
}

const { fromRandomAccessReaderPromise } = yauzl as unknown as {
  fromRandomAccessReaderPromise(
    reader: yauzl.RandomAccessReader,
    size: number,
    options: yauzl.Options,
  ): Promise<BlobZip>;
};

/** Its directory. Throws Error when it has none. */
export async function openBlobZip(
  blobs: BlobStore,
  digest: Digest,
  size: number,
): Promise<{ zip: BlobZip; windows: BlobWindows }> {
  const windows = new BlobWindows(blobs, digest, size);
  const zip = await fromRandomAccessReaderPromise(new WindowReader(windows), size, { autoClose: false });
  return { zip, windows };
}

const WINDOW = 256 * 1024;

/**
 * Small parts of a blob, read in larger pieces: the directory of a zip and its contents are each read from front to
 * back, a few bytes at a time.
 */
export class BlobWindows {
  readonly blobs: BlobStore;
  readonly digest: Digest;
  readonly #size: number;
  /** The one that was used last comes first. */
  #windows: { start: number; bytes: Buffer }[] = [];

  constructor(blobs: BlobStore, digest: Digest, size: number) {
    this.blobs = blobs;
    this.digest = digest;
    this.#size = size;
  }

  /** Shared with others: not to be changed. */
  async part(start: number, end: number): Promise<Buffer> {
    const known = this.#windows.find((one) => start >= one.start && end <= one.start + one.bytes.length);
    const window = known ?? (await this.#read(start, end));
    this.#windows = [window, ...this.#windows.filter((one) => one !== window)].slice(0, 2);
    return window.bytes.subarray(start - window.start, end - window.start);
  }

  async #read(start: number, end: number): Promise<{ start: number; bytes: Buffer }> {
    const range = { start, end: Math.max(end, Math.min(this.#size, start + WINDOW)) };
    return { start, bytes: await this.blobs.readPart(this.digest, range) };
  }
}

class WindowReader extends yauzl.RandomAccessReader {
  readonly #windows: BlobWindows;

  constructor(windows: BlobWindows) {
    super();
    this.#windows = windows;
  }

  override _readStreamForRange(start: number, end: number) {
    return this.#windows.blobs.read(this.#windows.digest, { start, end });
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null, count?: number) => void,
  ): void {
    this.#windows.part(position, position + length).then(
      (part) => {
        part.copy(buffer, offset);
        callback(null, length);
      },
      (error: Error) => callback(error),
    );
  }
}
