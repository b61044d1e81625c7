import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

const METADATA = 'metadata.gz';
const MAX_PACKED = 2 * 1024 * 1024;
const MAX_UNPACKED = 16 * 1024 * 1024;
/** A gem has three, or four with a signature. */
const MAX_MEMBERS = 100;

/** The YAML in the tar that a `.gem` is. Reads no further than it must, and throws when there is none. */
export async function readGemMetadata(file: Readable): Promise<string> {
  const tar = extract();
  const fed = pipeline(file, tar).catch(() => undefined);
  let members = 0;
  try {
    for await (const entry of tar) {
      const { name, type, size = 0 } = entry.header;
      if (++members > MAX_MEMBERS) break;
      if (type !== 'file' || name !== METADATA) {
        entry.resume();
        continue;
      }
      if (size > MAX_PACKED) throw new Error(`its ${METADATA} is too large`);
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      return await gunzipCapped(Buffer.concat(chunks));
    }
  } finally {
    tar.destroy();
    file.destroy();
    await fed;
  }
  throw new Error(`it has no ${METADATA}`);
}

async function gunzipCapped(packed: Buffer): Promise<string> {
  const gunzip = createGunzip();
  gunzip.end(packed);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of gunzip as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_UNPACKED) throw new Error(`its ${METADATA} unpacks to too much`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
