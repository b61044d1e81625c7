import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { InvalidChecksum } from '../errors.ts';
import type { Digest, StoredBlob } from './blob-store.ts';

/** What a store must know of the bytes of a blob, gathered while they pass. */
export class BlobHash {
  readonly #sha256 = createHash('sha256');
  #crc32 = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  update(chunk: Uint8Array): void {
    this.#sha256.update(chunk);
    this.#crc32 = crc32(chunk, this.#crc32);
    this.#size += chunk.byteLength;
  }

  /** Throws InvalidChecksum when the bytes are not those that were expected. Can be called once. */
  finish(expected?: Digest): StoredBlob {
    const digest: Digest = `sha256:${this.#sha256.digest('hex')}`;
    if (expected !== undefined && expected !== digest) {
      throw new InvalidChecksum(
        'checksum-mismatch',
        `Expected the digest ${expected} but computed ${digest}`,
        {
          details: { expected, actual: digest },
        },
      );
    }
    return { digest, size: this.#size, crc32: this.#crc32 };
  }
}
