import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { DomainError } from '../../errors.ts';
import { type ArchiveEntry, brokenArchive, entryPath, NO_CONTENT, refusedEntry } from './archive-entry.ts';
import type { UnpackLimits } from './unpack-limits.ts';

/**
 * The entries of a tar or tar.gz stream, in their order. Each one's content must be read before the next is asked for, or
 * not at all.
 */
export async function* tarEntries(
  stream: Readable,
  options: { gzip: boolean; limits: UnpackLimits; signal: AbortSignal },
): AsyncGenerator<ArchiveEntry> {
  const { limits, signal } = options;
  // Tar of before 1988 names no format.
  const parser = extract({ allowUnknownFormat: true } as object);
  const sink = parser as unknown as NodeJS.WritableStream;
  let bytes = 0;
  const counted = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of limits.counted(chunks)) {
      bytes += chunk.byteLength;
      yield chunk;
    }
  };
  const fed = (
    options.gzip
      ? pipeline(stream, createGunzip(), counted, sink, { signal })
      : pipeline(stream, counted, sink, { signal })
  ).then(
    () => null,
    (error: NodeJS.ErrnoException) => error,
  );
  const failureOf = async (error: unknown): Promise<unknown> => {
    stream.destroy();
    signal.throwIfAborted();
    if (error instanceof DomainError) return error;
    // What broke the feed comes out of the parser as a premature end.
    const cause = await fed;
    const reason = cause && cause.code !== 'ERR_STREAM_PREMATURE_CLOSE' ? cause : (error as Error);
    return reason instanceof DomainError ? reason : brokenArchive(reason.message, reason);
  };
  try {
    let end = 0;
    for await (const entry of parser) {
      limits.countEntries(1);
      end = endOf(entry.header);
      const content = new OnceRead(entry as AsyncIterable<Uint8Array>, failureOf);
      yield archiveEntry(entry.header, content);
      if (!content.isRead) entry.resume();
    }
    const failure = await fed;
    if (failure) throw failure;
    // Cut off between two entries it would look whole.
    if (bytes - end < TAR_BLOCK) throw brokenArchive('it has no end');
  } catch (error) {
    throw await failureOf(error);
  } finally {
    stream.destroy();
  }
}

const TAR_BLOCK = 512;

/** Where the content of an entry ends in the tar; the parser knows where it begins. */
function endOf(header: Header): number {
  const { byteOffset = 0 } = header as { byteOffset?: number };
  return byteOffset + Math.ceil(header.size / TAR_BLOCK) * TAR_BLOCK;
}

/** Says whether somebody has begun to read. */
class OnceRead implements AsyncIterable<Uint8Array> {
  isRead = false;
  readonly #content: AsyncIterable<Uint8Array>;
  readonly #failureOf: (error: unknown) => Promise<unknown>;

  constructor(content: AsyncIterable<Uint8Array>, failureOf: (error: unknown) => Promise<unknown>) {
    this.#content = content;
    this.#failureOf = failureOf;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    this.isRead = true;
    try {
      yield* this.#content;
    } catch (error) {
      throw await this.#failureOf(error);
    }
  }
}

const KINDS: Partial<Record<string, ArchiveEntry['kind']>> = {
  file: 'file',
  'contiguous-file': 'file',
  symlink: 'symlink',
  link: 'hard link',
  directory: 'directory',
};

function archiveEntry(header: Header, content: AsyncIterable<Uint8Array>): ArchiveEntry {
  const path = entryPath(header.name, 'Tar');
  // What follows is a map of the holes and what lies between them, under a made-up name.
  const { pax } = header as { pax?: Record<string, string> | null };
  if (pax && Object.keys(pax).some((key) => key.startsWith('GNU.sparse.'))) {
    throw refusedEntry(pax['GNU.sparse.name'] ?? path, 'sparse file');
  }
  const kind = KINDS[header.type ?? ''];
  if (!kind) throw refusedEntry(path, header.type ?? 'entry of unknown type (perhaps a sparse file)');
  const linkname = header.linkname ?? '';
  return {
    path,
    kind,
    permissions: header.mode & 0o777,
    size: kind === 'file' ? header.size : 0,
    time: timeOf(header),
    target: kind === 'hard link' ? entryPath(linkname, 'Tar') : linkname,
    content: kind === 'file' ? content : NO_CONTENT,
  };
}

const LATEST = 253402300799;

function timeOf({ mtime }: Header): number {
  const seconds = Math.floor(mtime.getTime() / 1000);
  return Number.isFinite(seconds) ? Math.min(Math.max(0, seconds), LATEST) : 0;
}
