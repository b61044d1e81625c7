import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type Extract, extract, type Header } from 'tar-stream';
import { DomainError } from '../../domain/errors.ts';
import {
  type ArchiveMember,
  ArchiveMembers,
  brokenArchive,
  memberPath,
  refusedMember,
} from './archive-member.ts';
import type { UnpackLimits } from './unpack-limits.ts';

/**
 * Lists a tar or tar.gz stream. Contents go to `spool`, a new file, from which the members are read later in the order of
 * their paths; the caller closes `file` when it has read them.
 */
export async function readTar(
  stream: Readable,
  options: { gzip: boolean; spool: string; limits: UnpackLimits; signal: AbortSignal },
): Promise<{ members: ArchiveMembers; file: FileHandle }> {
  const members = new ArchiveMembers();
  const file = await open(options.spool, 'wx+', 0o600);
  const contents = new Spool(file);
  try {
    const { limits, signal } = options;
    // Tar of before 1988 names no format.
    const parser = extract({ allowUnknownFormat: true } as object);
    const sink = parser as unknown as NodeJS.WritableStream;
    const counted = limits.counted.bind(limits);
    const feeding = options.gzip
      ? pipeline(stream, createGunzip(), counted, sink, { signal })
      : pipeline(stream, counted, sink, { signal });
    const fed = feeding.then(
      () => null,
      (error: Error) => error,
    );
    try {
      for await (const entry of parser) {
        limits.countEntries(1);
        await readMember(entry, members, contents);
      }
    } catch (error) {
      stream.destroy();
      if (error instanceof DomainError) throw error;
      // What broke the feed comes out of the parser as a premature end.
      const cause = (await fed) as NodeJS.ErrnoException | null;
      throw cause && cause.code !== 'ERR_STREAM_PREMATURE_CLOSE' ? cause : error;
    }
    await feeding;
    return { members, file };
  } catch (error) {
    await file.close();
    options.signal.throwIfAborted();
    if (error instanceof DomainError) throw error;
    throw brokenArchive((error as Error).message, error);
  }
}

type Entry = Extract extends AsyncIterable<infer Item> ? Item : never;

async function readMember(entry: Entry, members: ArchiveMembers, contents: Spool): Promise<void> {
  const { header } = entry;
  const path = memberPath(header.name, 'Tar');
  const time = timeOf(header);
  // What follows is a map of the holes and what lies between them, under a made-up name.
  const { pax } = header as { pax?: Record<string, string> | null };
  if (pax && Object.keys(pax).some((key) => key.startsWith('GNU.sparse.'))) {
    throw refusedMember(pax['GNU.sparse.name'] ?? path, 'sparse file');
  }
  switch (header.type) {
    case 'file':
    case 'contiguous-file': {
      const { size } = header;
      const content = await contents.append(entry as AsyncIterable<Uint8Array>, size);
      members.add({ path, mode: header.mode & 0o111 ? '100755' : '100644', size, time, content });
      return;
    }
    case 'symlink': {
      const target = header.linkname ?? '';
      members.add({ path, mode: '120000', size: Buffer.byteLength(target), target, time });
      break;
    }
    case 'link': {
      const original: ArchiveMember | undefined = members.get(memberPath(header.linkname ?? '', 'Tar'));
      if (!original)
        throw brokenArchive(`${path} is a hard link to ${header.linkname}, which is not before it`);
      members.add({ ...original, path });
      break;
    }
    case 'directory':
      break;
    default:
      throw refusedMember(path, header.type ?? 'entry of unknown type (perhaps a sparse file)');
  }
  entry.resume();
}

const CHUNK = 256 * 1024;

/** Contents one after another in a file, to be read in any order. */
class Spool {
  readonly #file: FileHandle;
  #end = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async append(content: AsyncIterable<Uint8Array>, size: number): Promise<AsyncIterable<Uint8Array>> {
    const start = this.#end;
    for await (const chunk of content) {
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten } = await this.#file.write(chunk, done, chunk.length - done, this.#end);
        done += bytesWritten;
        this.#end += bytesWritten;
      }
    }
    const read = this.#read.bind(this);
    return { [Symbol.asyncIterator]: () => read(start, size) };
  }

  async *#read(start: number, size: number): AsyncGenerator<Uint8Array> {
    for (let done = 0; done < size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, size - done));
      const { bytesRead } = await this.#file.read(chunk, 0, chunk.length, start + done);
      if (bytesRead === 0) throw new Error('The spooled archive ends early');
      done += bytesRead;
      yield chunk.subarray(0, bytesRead);
    }
  }
}

const LATEST = 253402300799;

function timeOf({ mtime }: Header): number {
  const seconds = Math.floor(mtime.getTime() / 1000);
  return Number.isFinite(seconds) ? Math.min(Math.max(0, seconds), LATEST) : 0;
}
