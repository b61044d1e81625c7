import { createHash, type Hash } from 'node:crypto';
import { createGunzip } from 'node:zlib';
import type { BundleFacts } from '../database/sql/find-bundle.ts';
import type { BlobStore, StoredBlob } from '../storage/blob-store.ts';

/** The digests of a bundle's archive and of the tar in it, as far as it was read, from its beginning. */
export class ArchiveDigests {
  readonly #tar: Hash;
  readonly #archive: Hash;
  #tarSize: number;
  #archiveSize: number;

  private constructor(tar: Hash, tarSize: number, archive: Hash, archiveSize: number) {
    this.#tar = tar;
    this.#tarSize = tarSize;
    this.#archive = archive;
    this.#archiveSize = archiveSize;
  }

  /** After the compressed source, with which every archive begins. */
  static async after(blobs: BlobStore, member: StoredBlob): Promise<ArchiveDigests> {
    const [tar, archive] = [createHash('sha256'), createHash('sha256')];
    let tarSize = 0;
    if (member.size > 0) {
      const unpacked = createGunzip();
      const input = blobs.read(member.digest);
      input.on('data', (chunk: Buffer) => archive.update(chunk));
      input.on('error', (error) => unpacked.destroy(error));
      input.pipe(unpacked);
      for await (const chunk of unpacked as AsyncIterable<Buffer>) {
        tar.update(chunk);
        tarSize += chunk.length;
      }
    }
    return new ArchiveDigests(tar, tarSize, archive, member.size);
  }

  /** Bytes of the tar so far. */
  get tarSize(): number {
    return this.#tarSize;
  }

  /** `isFraming`: of gzip, not of the tar. */
  add(bytes: Uint8Array, isFraming: boolean): void {
    this.#archive.update(bytes);
    this.#archiveSize += bytes.length;
    if (isFraming) return;
    this.#tar.update(bytes);
    this.#tarSize += bytes.length;
  }

  copy(): ArchiveDigests {
    return new ArchiveDigests(this.#tar.copy(), this.#tarSize, this.#archive.copy(), this.#archiveSize);
  }

  /** Can be called once. */
  finish(): Pick<BundleFacts, 'tarDigest' | 'tarSize' | 'archiveDigest' | 'archiveSize'> {
    return {
      tarDigest: `sha256:${this.#tar.digest('hex')}`,
      tarSize: this.#tarSize,
      archiveDigest: `sha256:${this.#archive.digest('hex')}`,
      archiveSize: this.#archiveSize,
    };
  }
}
