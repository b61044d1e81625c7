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

/** Header blocks of an entry, pax records included. `time` in seconds since 1970. */
export function tarHeader(entry: TarEntry, time: number): Buffer {
  const name = entry.kind === 'directory' ? `${entry.path}/` : entry.path;
  const mtime = tarTime(time);
  const records: [string, string][] = [];
  const split = splitName(name);
  if (!split) records.push(['path', name]);
  const target = entry.target ?? '';
  if (Buffer.byteLength(target) > 100 || !isAscii(target)) records.push(['linkpath', target]);
  if (entry.size >= LARGEST_USTAR_SIZE) records.push(['size', String(entry.size)]);
  const header = ustar({
    name: split?.name ?? truncated(name, 100),
    prefix: split?.prefix ?? '',
    mode: entry.mode,
    size: entry.size >= LARGEST_USTAR_SIZE ? 0 : entry.size,
    mtime,
    type: TYPES[entry.kind],
    target: truncated(target, 100),
  });
  return records.length === 0 ? header : Buffer.concat([paxHeader(entry.path, records, mtime), header]);
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
    if (entry.kind !== 'file' || entry.size === 0) continue;
    if (entry.content instanceof Uint8Array) yield entry.content;
    else if (entry.content) yield* entry.content;
    const padding = tarPadding(entry.size);
    if (padding > 0) yield Buffer.alloc(padding);
  }
  yield Buffer.alloc(tarEnd(length));
}

export interface TarContent extends TarEntry {
  content?: Uint8Array | Readable | AsyncIterable<Uint8Array>;
}

// --- ustar and pax --------------------------------------------------------------------------------------------------

const TYPES = { file: '0', directory: '5', symlink: '2', pax: 'x' } as const;

interface UstarFields {
  name: Buffer | string;
  prefix: string;
  mode: number;
  size: number;
  mtime: number;
  type: string;
  target: Buffer | string;
}

function ustar(fields: UstarFields): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  put(block, 0, fields.name);
  put(block, 100, octal(fields.mode & 0o777, 7));
  put(block, 108, octal(0, 7));
  put(block, 116, octal(0, 7));
  put(block, 124, octal(fields.size, 11));
  put(block, 136, octal(fields.mtime, 11));
  block.fill(' ', 148, 156);
  put(block, 156, fields.type);
  put(block, 157, fields.target);
  put(block, 257, 'ustar\0' + '00');
  put(block, 329, octal(0, 7));
  put(block, 337, octal(0, 7));
  put(block, 345, fields.prefix);
  const sum = block.reduce((total, byte) => total + byte, 0);
  put(block, 148, `${octal(sum, 6)}\0 `);
  return block;
}

/** `<directory>/PaxHeaders/<file>`, as GNU tar names it with `exthdr.name=%d/PaxHeaders/%f`. */
function paxHeader(path: string, records: readonly [string, string][], mtime: number): Buffer {
  const slash = path.lastIndexOf('/');
  const directory = slash < 0 ? '.' : path.slice(0, slash);
  const name = `${directory}/PaxHeaders/${path.slice(slash + 1)}`;
  const content = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
  const split = splitName(name);
  const header = ustar({
    name: split?.name ?? truncated(name, 100),
    prefix: split?.prefix ?? '',
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
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

/** Room in ustar: 100 bytes of name, and 155 of a prefix that ends before a slash. ASCII only. */
function splitName(name: string): { name: string; prefix: string } | null {
  if (!isAscii(name)) return null;
  if (name.length <= 100) return { name, prefix: '' };
  if (name.length > 256) return null;
  // As GNU tar does it: the longest prefix that fits.
  const end = name.endsWith('/') ? name.length - 1 : name.length;
  for (let slash = Math.min(155, end - 1); slash > 0; slash--) {
    if (name[slash] !== '/') continue;
    return name.length - slash - 1 <= 100
      ? { name: name.slice(slash + 1), prefix: name.slice(0, slash) }
      : null;
  }
  return null;
}

function truncated(text: string, bytes: number): Buffer {
  return Buffer.from(text).subarray(0, bytes);
}

function isAscii(text: string): boolean {
  return !/[^\0-\x7f]/.test(text);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

function put(block: Buffer, offset: number, value: Buffer | string): void {
  if (typeof value === 'string') block.write(value, offset, 'latin1');
  else value.copy(block, offset);
}
