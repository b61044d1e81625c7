import { Readable } from 'node:stream';
import { DomainError } from '../../domain/errors.ts';
import type { BlobStore, ByteRange, Digest } from '../../domain/storage/blob-store.ts';
import { digestOf } from '../../domain/storage/digest-of.ts';

/** Bytes that never change, as a client gets them: whole or a range of them. */
export interface Representation {
  /** Of the whole. */
  digest: Digest;
  /** Without quotes; the digest, unless clients expect something else. */
  etag?: string;
  size: number;
  contentType: string;
  /** What a browser names the file. Made of fixed words and numbers only. */
  fileName: string;
  /** `inline`: a browser shows it. */
  disposition: 'attachment' | 'inline';
  lastModified?: Date;
  /** Instead of the usual ones: what the clients of a dialect know. */
  headers?: Readonly<Record<string, string>>;
  open(range: ByteRange): Readable;
  /** Called when the bytes turned out not to be those of the digest. */
  onDamage?(): Promise<void>;
}

type About = Pick<Representation, 'contentType' | 'fileName' | 'disposition'>;

export async function blobRepresentation(
  blobs: BlobStore,
  digest: Digest,
  about: About,
): Promise<Representation> {
  const size = await blobs.size(digest);
  if (size === null) throw new DomainError('damaged', `The file ${about.fileName} is not in the blob store`);
  return { ...about, digest, size, open: (range) => blobs.read(digest, range) };
}

/** For texts that are made on demand and small. */
export function textRepresentation(text: string, about: About): Representation {
  const bytes = Buffer.from(text);
  return {
    ...about,
    digest: digestOf(bytes),
    size: bytes.length,
    open: ({ start, end }) => Readable.from([bytes.subarray(start, end)], { objectMode: false }),
  };
}
