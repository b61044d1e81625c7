import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArchiveEntry, brokenArchive } from './archive-entry.ts';
import { type ArchiveMember, ArchiveMembers } from './archive-members.ts';
import { openArchive, type UploadedArchive } from './open-archive.ts';

/** Everything in an archive; contents may be read, in any order, until the caller closes it. */
export async function listArchive(
  archive: UploadedArchive & { temporaryDirectory: string },
): Promise<{ members: ArchiveMembers; close: () => Promise<void> }> {
  const spoolPath = join(archive.temporaryDirectory, `${archive.digest.slice(-16)}.unpacked`);
  const { isRandomAccess, entries, close } = await openArchive(archive);
  const spool = isRandomAccess ? null : await Spool.create(spoolPath);
  const closeAll = async (): Promise<void> => {
    close();
    await spool?.remove();
  };
  try {
    const members = new ArchiveMembers();
    for await (const entry of entries()) {
      const member = await memberOf(entry, members, spool);
      if (member) members.add(member);
    }
    return { members, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** null for a directory: those are implied. */
async function memberOf(
  entry: ArchiveEntry,
  members: ArchiveMembers,
  spool: Spool | null,
): Promise<ArchiveMember | null> {
  const { path, kind, target, time } = entry;
  switch (kind) {
    case 'directory':
      return null;
    case 'symlink':
      return { path, mode: '120000', size: Buffer.byteLength(target), target, time };
    case 'hard link': {
      const original = members.get(target);
      if (!original) throw brokenArchive(`${path} is a hard link to ${target}, which is not before it`);
      return { ...original, path };
    }
    case 'file': {
      const mode = (entry.permissions ?? 0) & 0o111 ? '100755' : '100644';
      const size = entry.size ?? (await sizeOf(entry.content));
      const content = spool ? await spool.append(entry.content, size) : entry.content;
      return { path, mode, size, time, content };
    }
  }
}

async function sizeOf(content: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const chunk of content) size += chunk.length;
  return size;
}

const CHUNK = 256 * 1024;

/** Contents one after another in a file, to be read in any order. */
class Spool {
  readonly #path: string;
  readonly #file: FileHandle;
  #end = 0;

  private constructor(path: string, file: FileHandle) {
    this.#path = path;
    this.#file = file;
  }

  static async create(path: string): Promise<Spool> {
    await rm(path, { force: true });
    return new Spool(path, await open(path, 'wx+', 0o600));
  }

  async remove(): Promise<void> {
    await this.#file.close();
    await rm(this.#path, { force: true });
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
