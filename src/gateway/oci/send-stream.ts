import type { ServerResponse } from 'node:http';
import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { releaseBuffers } from '../../domain/storage/release-buffers.ts';

/** Sends all of a stream whose pieces nobody else has, and gives the memory of each back as soon as it is on its way. */
export async function sendStream(stream: Readable, answer: ServerResponse): Promise<void> {
  const sent = new Writable({
    highWaterMark: WAITING_BYTES,
    write(piece: Buffer, _encoding, done) {
      answer.write(piece, (error) => {
        releaseBuffers([piece]);
        done(error);
      });
    },
    final(done) {
      answer.end(done);
    },
  });
  // Its client may be gone while there is nothing to write.
  const abandon = (): void => void sent.destroy(new Error('the client is gone'));
  answer.once('close', abandon);
  try {
    await pipeline(stream, sent);
  } catch (error) {
    answer.destroy();
    throw error;
  } finally {
    answer.removeListener('close', abandon);
  }
}

const WAITING_BYTES = 256 * 1024;
