import type { Readable } from 'node:stream';
import { DomainError } from '../errors.ts';
import type { BlobStore, StoredBlob } from './blob-store.ts';
import { FileBlobStore } from './file-blob-store.ts';
import { FileStagedBlobs } from './file-staged-blobs.ts';

/**
 * Bytes of blobs that arrive in several requests, maybe at several gateways, before they are complete. A name is given by
 * the caller, who also sees to it that one at a time writes.
 */
export interface StagedBlobs {
  /**
   * Goes on behind the first `size` bytes; what is behind them is dropped. Throws NotFoundError when there are not as
   * many. With `size` 0 it is made, if need be.
   */
  open(name: string, size: number): Promise<StagedBlob>;
  /** The first `size` bytes. Throws NotFoundError where some are wanted and nothing is staged under this name. */
  read(name: string, size: number): Readable;
  /** Makes a copy of the first `size` bytes under another name and drops the original. */
  move(name: string, size: number, newName: string): Promise<void>;
  /** Makes the complete bytes a blob of the store, durably. Throws NotFoundError when they are not there. */
  commit(name: string, blob: StoredBlob): Promise<void>;
  remove(name: string): Promise<void>;
  /** Everything that is staged, with the time of the last write. */
  list(): AsyncIterable<{ name: string; writtenAt: Date }>;
}

export interface StagedBlob {
  /** Offset up to which everything is sure to be found again, also when this process is killed now. */
  readonly kept: number;
  /**
   * The chunks are on their way to the store when the promise resolves; `close` waits for all of them. They are still read
   * until `onWritten` is called, which does not happen when the store refuses them.
   */
  write(chunks: readonly Uint8Array[], onWritten?: () => void): Promise<void>;
  close(): Promise<void>;
}

/** A store that brings its own staging area, so that only who uses such a store loads its client. */
export interface StagingStore extends BlobStore {
  openStaging(): StagedBlobs;
}

/** The staging area that belongs to a store. */
export function openStagedBlobs(blobs: BlobStore): StagedBlobs {
  if (blobs instanceof FileBlobStore) return new FileStagedBlobs(blobs);
  if ('openStaging' in blobs) return (blobs as StagingStore).openStaging();
  throw new DomainError('not-implemented', 'This blob store cannot take uploads of images');
}
