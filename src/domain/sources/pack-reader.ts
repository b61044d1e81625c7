import { Readable } from 'node:stream';
import type { BlobStore, Digest } from '../storage/blob-store.ts';

/** A pack of up to this size is read at once, on first use. */
const SMALL_PACK = 16 * 1024 * 1024;
/** Of a larger pack this much is read at a time, since files are mostly asked for in the order of the pack. */
const WINDOW = 4 * 1024 * 1024;
/** Larger files get a read of their own. */
const SMALL_FILE = 512 * 1024;

/** Reads files out of a pack blob: many small ones with few reads, large ones as streams. */
export class PackReader {
  readonly #blobs: BlobStore;
  readonly #digest: Digest;
  readonly #size: number;
  #windows: { start: number; end: number; bytes: Promise<Buffer> }[] = [];

  constructor(blobs: BlobStore, digest: Digest, size: number) {
    this.#blobs = blobs;
    this.#digest = digest;
    this.#size = size;
  }

  /** The caller must not keep the buffer: it may be part of a much larger one. */
  async slice(offset: number, size: number): Promise<Buffer> {
    if (size === 0) return Buffer.alloc(0);
    if (size > SMALL_FILE && this.#size > SMALL_PACK) return this.#read(offset, offset + size);
    const window = this.#windowOf(offset, size);
    const bytes = await window.bytes;
    return bytes.subarray(offset - window.start, offset - window.start + size);
  }

  stream(offset: number, size: number): Readable {
    if (size > SMALL_FILE && this.#size > SMALL_PACK) {
      return this.#blobs.read(this.#digest, { start: offset, end: offset + size });
    }
    const slice = this.slice.bind(this);
    return Readable.from(
      (async function* () {
        if (size > 0) yield await slice(offset, size);
      })(),
      { objectMode: false },
    );
  }

  #windowOf(offset: number, size: number) {
    const known = this.#windows.find((one) => one.start <= offset && offset + size <= one.end);
    if (known) return known;
    const start = this.#size <= SMALL_PACK ? 0 : offset;
    const end = this.#size <= SMALL_PACK ? this.#size : Math.min(this.#size, offset + WINDOW);
    const window = { start, end, bytes: this.#read(start, end) };
    this.#windows = [window, ...this.#windows.slice(0, 1)];
    window.bytes.catch(() => {
      this.#windows = this.#windows.filter((one) => one !== window);
    });
    return window;
  }

  async #read(start: number, end: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.#blobs.read(this.#digest, { start, end })) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    if (bytes.length !== end - start) {
      throw new Error(`The pack ${this.#digest} ends before byte ${end}`);
    }
    return bytes;
  }
}
