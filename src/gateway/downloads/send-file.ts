import { close, open, read } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import type { ByteRange } from '../../domain/storage/blob-store.ts';

const openFile = promisify(open);
const closeFile = promisify(close);

/** Read and written at a time. */
const PIECE_BYTES = 256 * 1024;
/** Of one answer: the next pieces are read while one is on its way to the socket. */
const MOST_BUFFERS = 3;
/** Beyond so many in the process every answer has one buffer only, so that many slow clients do not need much memory. */
const MOST_SHARED = 64;

/** Buffers that nobody needs just now: making new ones for each piece costs more than filling them. */
const idle: Buffer[] = [];
let lent = 0;

/** An open file whose bytes go to a client. */
export class SentFile {
  readonly #descriptor: number;

  private constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Throws what the system says, ENOENT for one. */
  static async open(path: string): Promise<SentFile> {
    return new SentFile(await openFile(path, 'r'));
  }

  /**
   * Sends a range as the body of an answer whose head is written, and closes the file. Rejects when the client goes away
   * or the file is shorter than the range; then the connection is cut off, never completed.
   */
  async send(range: ByteRange, response: ServerResponse): Promise<void> {
    try {
      await this.#pump(range, response);
      response.end();
    } catch (error) {
      response.destroy();
      throw error;
    } finally {
      await closeFile(this.#descriptor);
    }
  }

  async close(): Promise<void> {
    await closeFile(this.#descriptor);
  }

  /** Pieces are read one after the other and written in that order; each buffer is read into again once it is written. */
  #pump({ start, end }: ByteRange, response: ServerResponse): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    let position = start;
    let buffers = 0;
    let isReading = false;
    let failure: Error | null = null;

    const settle = (): void => {
      // The file stays open for as long as the system reads from it.
      if (isReading || (!failure && (position < end || buffers > 0))) return;
      response.off('close', gone);
      // Whether, and when, the system still reads from these nobody will tell.
      lent -= buffers;
      buffers = 0;
      if (failure) reject(failure);
      else resolve();
    };
    const fail = (error: Error): void => {
      failure ??= error;
      settle();
    };
    const gone = (): void => fail(new Error('the client has gone away'));
    const giveBack = (buffer: Buffer): void => {
      if (buffers === 0) return;
      buffers -= 1;
      release(buffer);
    };
    const next = (): void => {
      if (isReading || failure || position >= end || buffers >= MOST_BUFFERS) return;
      if (buffers > 0 && lent >= MOST_SHARED) return;
      const buffer = lend();
      buffers += 1;
      isReading = true;
      const wanted = Math.min(PIECE_BYTES, end - position);
      read(this.#descriptor, buffer, 0, wanted, position, (error, count) => {
        isReading = false;
        if (error || count === 0 || failure) {
          giveBack(buffer);
          return fail(error ?? new Error('the file is shorter than it was'));
        }
        position += count;
        response.write(count === buffer.length ? buffer : buffer.subarray(0, count), (writeError) => {
          giveBack(buffer);
          if (writeError) return fail(writeError);
          next();
          settle();
        });
        next();
      });
    };
    response.on('close', gone);
    if (response.destroyed) gone();
    next();
    settle();
    return promise;
  }
}

function lend(): Buffer {
  lent += 1;
  return idle.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
}

function release(buffer: Buffer): void {
  lent -= 1;
  if (idle.length < MOST_SHARED) idle.push(buffer);
}
