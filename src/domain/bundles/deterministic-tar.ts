import type { Readable } from 'node:stream';

/**
 * Tar as prefetch.md section 14 wants it: ustar, pax records only where ustar has no room, nothing of the machine in it.
 * GNU tar makes the same bytes with the options named there.
 */
export interface TarEntry {
  /** Without a slash at the end, also for directories. */
  path: string;
  kind: 'file' | 'directory' | 'symlink';
  mode: number;
  /** Bytes of a file; 0 otherwise. */
  size: number;
  /** Of a symlink. */
  target?: string;
}

export const TAR_BLOCK = 512;
/** Two empty blocks end the archive, and the whole is a multiple of twenty blocks. */
const RECORD = 20 * TAR_BLOCK;
const OLDEST_TIME = 315_532_800;
const LARGEST_USTAR_SIZE = 8 * 1024 ** 3;
/** Bytes of the fields for a name and for a link's target. */
const NAME_FIELD = 100;

/** Header blocks of an entry, pax records included. `time` in seconds since 1970. */
export function tarHeader(entry: TarEntry, time: number): Buffer {
  const name = headerName(entry);
  const mtime = tarTime(time);
  const records = paxRecords(entry);
  const header = ustar({
    name,
    mode: entry.mode,
    size: entry.size >= LARGEST_USTAR_SIZE ? 0 : entry.size,
    mtime,
    type: TYPES[entry.kind],
    target: entry.target ?? '',
  });
  return records.length === 0 ? header : Buffer.concat([paxHeader(entry.path, records, mtime), header]);
}

/** Bytes of {@link tarHeader}, without making it. */
export function tarHeaderSize(entry: TarEntry): number {
  const records = paxRecords(entry);
  if (records.length === 0) return TAR_BLOCK;
  const content = records.reduce((sum, [key, value]) => sum + paxRecord(key, value).length, 0);
  return 2 * TAR_BLOCK + content + tarPadding(content);
}

/** Zero bytes after a file's content. */
export function tarPadding(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** Zero bytes at the end of an archive that has so many bytes so far. */
export function tarEnd(length: number): number {
  const end = length + 2 * TAR_BLOCK;
  return 2 * TAR_BLOCK + ((RECORD - (end % RECORD)) % RECORD);
}

/** Whole seconds, not before 1980: zip files and wheels cannot say earlier. */
export function tarTime(time: number): number {
  return Math.max(Math.floor(time), OLDEST_TIME);
}

/** The bytes of a whole archive; entries come sorted, each file with its content. */
export async function* writeTar(
  entries: AsyncIterable<TarContent> | Iterable<TarContent>,
  options: { time: number },
): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const entry of entries) {
    const header = tarHeader(entry, options.time);
    length += header.length + entry.size + tarPadding(entry.size);
    yield header;
    if (entry.kind === 'file') yield* exactly(entry);
  }
  yield Buffer.alloc(tarEnd(length));
}

/** Content and padding; a content of another length would shift all that follows. */
async function* exactly({ path, size, content }: TarContent): AsyncGenerator<Uint8Array> {
  let given = 0;
  for await (const chunk of content instanceof Uint8Array ? [content] : (content ?? [])) {
    given += chunk.length;
    if (given > size) throw new Error(`${path} has more than ${size} bytes`);
    yield chunk;
  }
  if (given < size) throw new Error(`${path} has ${given} bytes, not ${size}`);
  if (tarPadding(size) > 0) yield Buffer.alloc(tarPadding(size));
}

export interface TarContent extends TarEntry {
  content?: Uint8Array | Readable | AsyncIterable<Uint8Array>;
}

// --- ustar and pax --------------------------------------------------------------------------------------------------

const TYPES = { file: '0', directory: '5', symlink: '2', pax: 'x' } as const;

function headerName(entry: TarEntry): string {
  return entry.kind === 'directory' ? `${entry.path}/` : entry.path;
}

/** What ustar has no room for, in GNU tar's order. The prefix field is not used: GNU tar leaves it empty with pax. */
function paxRecords(entry: TarEntry): [key: string, value: string][] {
  const records: [string, string][] = [];
  const name = headerName(entry);
  if (byteLength(entry.target ?? '') > NAME_FIELD) records.push(['linkpath', entry.target!]);
  if (byteLength(name) > NAME_FIELD || !isAscii(name)) records.push(['path', name]);
  if (entry.size >= LARGEST_USTAR_SIZE) records.push(['size', String(entry.size)]);
  return records;
}

interface UstarFields {
  /** Cut off where the field ends. */
  name: string;
  mode: number;
  size: number;
  mtime: number;
  type: string;
  target: string;
}

function ustar(fields: UstarFields): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  putText(block, 0, fields.name);
  putOctal(block, 100, fields.mode & 0o777, 7);
  putOctal(block, 108, 0, 7);
  putOctal(block, 116, 0, 7);
  putOctal(block, 124, fields.size, 11);
  putOctal(block, 136, fields.mtime, 11);
  block.write(fields.type, 156, 'latin1');
  putText(block, 157, fields.target);
  block.write('ustar\x0000', 257, 'latin1');
  if (fields.type !== TYPES.pax) {
    putOctal(block, 329, 0, 7);
    putOctal(block, 337, 0, 7);
  }
  // The checksum counts its own field as blanks.
  let sum = 8 * 0x20;
  for (let at = 0; at < TAR_BLOCK; at++) sum += block[at]!;
  putOctal(block, 148, sum, 6);
  block[155] = 0x20;
  return block;
}

/** `<directory>/PaxHeaders/<file>`, as GNU tar names it with `exthdr.name=%d/PaxHeaders/%f`. */
function paxHeader(path: string, records: readonly [string, string][], mtime: number): Buffer {
  const slash = path.lastIndexOf('/');
  const directory = slash < 0 ? '.' : path.slice(0, slash);
  const content = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const header = ustar({
    name: `${directory}/PaxHeaders/${path.slice(slash + 1)}`,
    mode: 0o644,
    size: content.length,
    mtime,
    type: TYPES.pax,
    target: '',
  });
  return Buffer.concat([header, content, Buffer.alloc(tarPadding(content.length))]);
}

/** `<length> <key>=<value>\n`, where the length counts itself. */
function paxRecord(key: string, value: string): Buffer {
  const rest = byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text);
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

function putText(block: Buffer, offset: number, text: string): void {
  if (isAscii(text)) block.write(text, offset, NAME_FIELD, 'latin1');
  else Buffer.from(text).copy(block, offset, 0, NAME_FIELD);
}

function putOctal(block: Buffer, offset: number, value: number, digits: number): void {
  block.write(value.toString(8).padStart(digits, '0'), offset, digits, 'latin1');
}
