import { createRequire } from 'node:module';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { openZip } from '../../../domain/sources/archives/zip-file.ts';
import { bunzip2 } from './bzip2.ts';

// Its CommonJS exports are not seen by import.
const { XzReadableStream } = createRequire(import.meta.url)(
  'xz-decompress',
) as typeof import('xz-decompress');

export type ArchiveKind = 'zip' | 'tar' | 'tar.gz' | 'tar.bz2' | 'tar.xz';

/** What an archive may make us read. */
export interface ArchiveCaps {
  entries: number;
  /** Unpacked bytes that are read before the one that is looked for. */
  bytes: number;
  /** Unpacked bytes for each packed byte. */
  ratio: number;
  /** Of that one. */
  member: number;
}

const KINDS: readonly [RegExp, ArchiveKind][] = [
  [/\.zip$/, 'zip'],
  [/\.tar$/, 'tar'],
  [/\.(tar\.gz|tgz)$/, 'tar.gz'],
  [/\.(tar\.bz2|tbz)$/, 'tar.bz2'],
  [/\.(tar\.xz|txz)$/, 'tar.xz'],
];

export function archiveKind(fileName: string): ArchiveKind | null {
  return KINDS.find(([pattern]) => pattern.test(fileName))?.[1] ?? null;
}

/** Content of the first regular file whose name fits; null when there is none. Reads no further than it must. */
export async function findInTar(
  source: Readable,
  kind: Exclude<ArchiveKind, 'zip'>,
  fits: (name: string) => boolean,
  caps: ArchiveCaps,
  signal: AbortSignal,
): Promise<Buffer | null> {
  const archive = extract();
  const fed = pipeline(unpacked(source, kind, caps), archive, { signal }).catch(() => {});
  let entries = 0;
  try {
    for await (const entry of archive) {
      const { name, size = 0, type } = entry.header;
      if (++entries > caps.entries) throw new Error('it has too many members');
      if (type !== 'file' || !fits(name)) {
        entry.resume();
        continue;
      }
      if (size > caps.member) throw new Error(`${name} is too large`);
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    }
    signal.throwIfAborted();
    return null;
  } finally {
    archive.destroy();
    source.destroy();
    await fed;
  }
}

/** So much may come out of any archive, however small it is. */
const RATIO_FREE_BYTES = 16 * 1024 * 1024;

async function* unpacked(
  source: Readable,
  kind: Exclude<ArchiveKind, 'zip'>,
  caps: ArchiveCaps,
): AsyncGenerator<Uint8Array> {
  let packed = 0;
  let bytes = 0;
  const counted = async function* () {
    for await (const chunk of source) {
      packed += (chunk as Buffer).length;
      yield chunk as Buffer;
    }
  };
  for await (const chunk of decompress(counted(), kind)) {
    bytes += chunk.length;
    if (bytes > Math.min(caps.bytes, packed * caps.ratio + RATIO_FREE_BYTES)) {
      throw new Error('it unpacks to too much');
    }
    yield chunk;
  }
}

function decompress(
  source: AsyncGenerator<Buffer>,
  kind: Exclude<ArchiveKind, 'zip'>,
): AsyncIterable<Uint8Array> {
  switch (kind) {
    case 'tar':
      return source;
    case 'tar.gz':
      return gunzipped(source);
    case 'tar.bz2':
      return bunzip2(source);
    case 'tar.xz':
      return new XzReadableStream(Readable.toWeb(Readable.from(source)) as ReadableStream<Uint8Array>);
  }
}

/** Whoever stops reading early destroys the stream with an error that nobody waits for: it must not end the process. */
function gunzipped(source: AsyncGenerator<Buffer>): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip();
  gunzip.on('error', () => undefined);
  pipeline(Readable.from(source), gunzip).catch(() => undefined);
  return gunzip;
}

/** As {@link findInTar}; the archive must be a file, because its directory is at the end. */
export async function findInZip(
  path: string,
  fits: (name: string) => boolean,
  caps: ArchiveCaps,
): Promise<Buffer | null> {
  const zip = await openZip(path);
  let entries = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      if (++entries > caps.entries) throw new Error('it has too many members');
      if (!fits(entry.fileName)) continue;
      if (entry.uncompressedSize > caps.member) throw new Error(`${entry.fileName} is too large`);
      const chunks: Buffer[] = [];
      for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    }
    return null;
  } finally {
    zip.close();
  }
}
