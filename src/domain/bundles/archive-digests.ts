import { createHash, type Hash } from 'node:crypto';
import { createGunzip } from 'node:zlib';
import type { BlobStore, Digest, StoredBlob } from '../storage/blob-store.ts';

/** The digests of a bundle's archive and of the tar in it, as far as it was read, from its beginning. */
export class ArchiveDigests {
  readonly #tar: Hash;
  readonly #archive: Hash;
  #archiveSize: number;

  private constructor(tar: Hash, archive: Hash, archiveSize: number) {
    this.#tar = tar;
    this.#archive = archive;
    this.#archiveSize = archiveSize;
  }

  /** After the compressed source, with which every archive begins. */
  static async after(blobs: BlobStore, member: StoredBlob): Promise<ArchiveDigests> {
    const [tar, archive] = [createHash('sha256'), createHash('sha256')];
    if (member.size > 0) {
      const unpacked = createGunzip();
      const input = blobs.read(member.digest);
      input.on('data', (chunk: Buffer) => archive.update(chunk));
      input.on('error', (error) => unpacked.destroy(error));
      input.pipe(unpacked);
      for await (const chunk of unpacked as AsyncIterable<Buffer>) tar.update(chunk);
    }
    return new ArchiveDigests(tar, archive, member.size);
  }

  /** Bytes of the archive so far. */
  get archiveSize(): number {
    return this.#archiveSize;
  }

  /** `isFraming`: of gzip, not of the tar. */
  add(bytes: Uint8Array, isFraming: boolean): void {
    this.#archive.update(bytes);
    if (!isFraming) this.#tar.update(bytes);
    this.#archiveSize += bytes.length;
  }

  copy(): ArchiveDigests {
    return new ArchiveDigests(this.#tar.copy(), this.#archive.copy(), this.#archiveSize);
  }

  /** Can be called once. */
  finish(): { tarDigest: Digest; archiveDigest: Digest } {
    return {
      tarDigest: `sha256:${this.#tar.digest('hex')}`,
      archiveDigest: `sha256:${this.#archive.digest('hex')}`,
    };
  }
}
