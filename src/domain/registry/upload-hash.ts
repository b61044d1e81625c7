import { createHash, type Hash } from 'node:crypto';
import { BlobHash } from '../storage/blob-hash.ts';
import type { StoredBlob } from '../storage/blob-store.ts';
import { type Address, type Algorithm, isDigest } from './reference.ts';

/** Hashes the bytes of an upload while they pass; sha512 only where it is asked for. */
export class UploadHash {
  readonly #blob = new BlobHash();
  readonly #sha512: Hash | null;

  constructor(algorithm: Algorithm) {
    this.#sha512 = algorithm === 'sha512' ? createHash('sha512') : null;
  }

  get size(): number {
    return this.#blob.size;
  }

  /** Whether it can tell if the bytes are those of an address of this algorithm. */
  knows(algorithm: Algorithm): boolean {
    return algorithm === 'sha256' || this.#sha512 !== null;
  }

  update(chunk: Uint8Array): void {
    this.#blob.update(chunk);
    this.#sha512?.update(chunk);
  }

  /** null: these are not the bytes of the address. Can be called once. */
  finish(address: Address): StoredBlob | null {
    const blob = this.#blob.finish();
    const actual = isDigest(address) ? blob.digest : `sha512:${this.#sha512!.digest('hex')}`;
    return actual === address ? blob : null;
  }
}
