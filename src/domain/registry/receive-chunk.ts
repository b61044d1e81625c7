import type { Readable } from 'node:stream';
import { releaseBuffers } from '../storage/release-buffers.ts';
import { RegistryError } from './errors.ts';
import type { HeldUpload } from './upload-sessions.ts';

/** The body of one request of an upload. */
export interface Chunk {
  body: Readable;
  /** When its request came, on the clock of `performance`. */
  arrivedAt: number;
  /** Nobody else has what the body yields, so that it can be given back before the engine finds out. */
  isOnlyOurs?: boolean;
  /** As the request gives it; null: it comes in pieces of unknown length. */
  contentLength: number | null;
  /** First and last byte of `Content-Range`; null: it goes behind what is there. */
  range: { first: number; last: number } | null;
}

/**
 * Takes bytes as they come, hashing them on the way to the disk; never more than a few pieces are in memory. When the
 * connection breaks, what has come counts. Throws `upload-range-invalid`, and then nothing has changed.
 */
export async function receiveChunk(upload: HeldUpload, chunk: Chunk, mostBytes: number): Promise<void> {
  const start = upload.size;
  const length = requireNext(upload, chunk);
  if (length !== null && start + length > mostBytes) throw tooLarge(mostBytes);

  const { file, hash } = await upload.open();
  let received = start;
  let failure: unknown = null;
  const stop = (): void => void chunk.body.destroy(upload.signal.reason);
  upload.signal.addEventListener('abort', stop, { once: true });
  if (upload.signal.aborted) stop();
  let pieces: Buffer[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const batch = pieces;
    pieces = [];
    bytes = 0;
    await file.write(batch, chunk.isOnlyOurs ? () => releaseBuffers(batch) : undefined);
    upload.size = file.kept;
  };
  try {
    // Whoever is refused in the middle is still told so.
    for await (const piece of chunk.body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (received + piece.length > mostBytes) throw tooLarge(mostBytes);
      hash?.update(piece);
      pieces.push(piece);
      bytes += piece.length;
      received += piece.length;
      upload.received = received;
      if (bytes >= WRITE_BYTES) await flush();
    }
  } catch (error) {
    failure = error;
  } finally {
    upload.signal.removeEventListener('abort', stop);
  }
  try {
    if (pieces.length > 0) await flush();
    await file.close();
  } catch (error) {
    // The disk: what was not written must be sent again.
    upload.setBack(start);
    throw error;
  }
  upload.setBack(received);
  if (failure === null && length !== null && received - start !== length) {
    upload.setBack(start);
    throw refused(upload, 'the chunk has another length than its range');
  }
  if (failure instanceof RegistryError) upload.setBack(start);
  if (failure !== null) throw failure;
}

/** Written at a time. */
const WRITE_BYTES = 256 * 1024;

/** Bytes that the chunk must have; null: as many as come. */
function requireNext(upload: HeldUpload, { range, contentLength }: Chunk): number | null {
  if (range === null) return contentLength;
  const length = range.last - range.first + 1;
  if (range.first !== upload.size) throw refused(upload, 'the chunk does not begin where the upload ends');
  if (length < 1 || (contentLength !== null && contentLength !== length)) {
    throw refused(upload, 'the chunk has another length than its range');
  }
  return length;
}

function refused(upload: HeldUpload, message: string): RegistryError {
  upload.told();
  return rangeInvalid(upload.size, message);
}

export function rangeInvalid(size: number, message: string): RegistryError {
  return new RegistryError('upload-range-invalid', message, { details: { received: size } });
}

export function tooLarge(mostBytes: number): RegistryError {
  return new RegistryError('blob-too-large', `a blob may have at most ${mostBytes} bytes`);
}
