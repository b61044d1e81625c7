import type { Readable } from 'node:stream';
import type { BlobStore, StoredBlob, WriteOptions } from './blob-store.ts';

/** What {@link BlobStore.write} is made of in every store: on any error nothing stays behind. */
export async function writeBlob(
  store: Pick<BlobStore, 'createWriter'>,
  content: Readable | AsyncIterable<Uint8Array> | Uint8Array,
  options: WriteOptions,
): Promise<StoredBlob> {
  const writer = await store.createWriter(options);
  try {
    if (content instanceof Uint8Array) await writer.write(content);
    else for await (const chunk of content) await writer.write(toBytes(chunk));
    return await writer.commit();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

function toBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (typeof chunk === 'string') return Buffer.from(chunk);
  throw new TypeError('A blob is made of bytes');
}
