import type { Readable } from 'node:stream';

/** `sha256:` and 64 lower-case hex characters. */
export type Digest = `sha256:${string}`;

/** A blob that lies in the store. */
export interface StoredBlob {
  digest: Digest;
  /** Bytes. */
  size: number;
  /** CRC-32 of the bytes (unsigned), kept so that a gzip member around the blob needs no second read. */
  crc32: number;
}

export interface ByteRange {
  /** First byte, from 0. */
  start: number;
  /** First byte that is not read any more. */
  end: number;
}

export interface WriteOptions {
  /** The write fails with `checksum-mismatch` (and leaves nothing) when the bytes have another digest. */
  expectedDigest?: Digest;
  /**
   * `now` (default): the blob is on stable storage when the promise resolves.
   * `batch`: the caller calls {@link BlobStore.sync} before it commits the state that names the blob.
   */
  durability?: 'now' | 'batch';
  signal?: AbortSignal;
  /** Called when the store had the blob already: somebody else may be about to name it. */
  onPresent?: () => void;
}

/** Takes the bytes of one blob piece by piece; nothing is visible before `commit`. */
export interface BlobWriter {
  /** Resolves when more may be written (backpressure). */
  write(chunk: Uint8Array): Promise<void>;
  /** Bytes taken so far. */
  readonly size: number;
  commit(): Promise<StoredBlob>;
  /** Drops everything that was written. Safe to call at any time, also after `commit`. */
  abort(): Promise<void>;
}

/**
 * Content-addressed bytes (DESIGN section 2). Writing the same bytes twice keeps one copy. A blob is visible only when
 * it is complete and hashed. Implementations: files, S3.
 */
export interface BlobStore {
  /** Writes a stream; on any error nothing stays behind. */
  write(
    content: Readable | AsyncIterable<Uint8Array> | Uint8Array,
    options?: WriteOptions,
  ): Promise<StoredBlob>;
  createWriter(options?: WriteOptions): Promise<BlobWriter>;
  /** Makes every blob written with `durability: 'batch'` durable. */
  sync(blobs: readonly Digest[]): Promise<void>;
  /** Throws NotFoundError when there is no such blob. */
  read(digest: Digest, range?: ByteRange): Readable;
  /** A small range in one piece, for less than a stream costs. Throws when the blob ends before the range does. */
  readPart(digest: Digest, range: ByteRange): Promise<Buffer>;
  /** The whole blob; refuses blobs of more than `maxBytes` (default 64 MiB). */
  readWhole(digest: Digest, maxBytes?: number): Promise<Buffer>;
  /** Size in bytes, or null when there is no such blob. */
  size(digest: Digest): Promise<number | null>;
  /**
   * With `writtenBefore` a blob stays that somebody wrote (again) at that time or later: who wants to delete it has looked
   * for names of it before that, and missed the one that it is about to get.
   */
  delete(digest: Digest, options?: { writtenBefore?: Date }): Promise<void>;
  /** The blob is damaged: from now on there is none, and the next write makes it anew. Its bytes stay for who looks into it. */
  setAside(digest: Digest): Promise<void>;
  /** All blobs with size and time of the last write, in no order. */
  list(): AsyncIterable<{ digest: Digest; size: number; writtenAt: Date }>;
  /**
   * Path of a local file with the blob's bytes, or null when the store is not on a local disk. The file must not be
   * changed; hard links to it are fine.
   */
  localPath(digest: Digest): string | null;
  /**
   * A URL under which anybody can read the blob for so many seconds, whether it is there or not. Absent where its bytes
   * can only be had from us.
   */
  presignedUrl?(digest: Digest, seconds: number): Promise<string>;
  /** Removes what writers that are dead left behind: of this host, or so old that nobody can live; returns how much. */
  sweepTemporaryFiles(isAlive: (pid: number) => boolean): Promise<number>;
  /**
   * Throws when the store cannot be written; used by readiness, the status and `stowage doctor`. One that is full can
   * still be read: that counts only when `space` is asked for.
   */
  check(options?: { space?: boolean }): Promise<void>;
  /** Room on the disk of the store; null: it is on none of this machine. */
  freeBytes(): Promise<number | null>;
}
