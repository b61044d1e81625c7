import { TAR_BLOCK } from './deterministic-tar.ts';

/** One member of a tar, as its header says it; nothing of it is believed yet. */
export interface TarMember {
  /** All header blocks, pax records included: what {@link tarHeader} would have to give. */
  header: Buffer;
  /** Without a slash at the end. */
  path: string;
  kind: 'file' | 'directory' | 'symlink' | 'hard link' | 'other';
  mode: number;
  owner: number;
  group: number;
  /** Seconds since 1970. */
  time: number;
  /** Bytes of content that follow, without padding. */
  size: number;
  target: string;
}

/** The bytes are no tar, or not all of one. */
export class TarFormatError extends Error {}

const LARGEST_PAX = 1024 * 1024;

/**
 * Reads a tar of an unknown writer, member by member, without keeping anything: `next()`, then `content()` to its end,
 * and so on; `finish()` when `next()` gave null.
 */
export class TarReader {
  readonly #bytes: ByteReader;

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#bytes = new ByteReader(chunks);
  }

  /** Bytes read so far. */
  get position(): number {
    return this.#bytes.position;
  }

  /** Throws {@link TarFormatError}. Null at the end of the archive, whose first empty block is read then. */
  async next(): Promise<TarMember | null> {
    const blocks: Buffer[] = [];
    let extended: Record<string, string> = {};
    for (;;) {
      const block = await this.#bytes.take(TAR_BLOCK);
      if (block === null) throw new TarFormatError(`The archive ends at byte ${this.position}, in mid-air`);
      if (isEmpty(block)) {
        if (blocks.length > 0)
          throw new TarFormatError(`Pax records without a member before byte ${this.position}`);
        return null;
      }
      requireChecksum(block, this.position - TAR_BLOCK);
      blocks.push(block);
      const type = block.toString('latin1', 156, 157);
      if (type !== 'x' && type !== 'g') return member(Buffer.concat(blocks), block, extended);
      const records = await this.#records(block, blocks);
      if (type === 'x') extended = { ...extended, ...records };
    }
  }

  /** The content of the member that `next()` gave last. Read it to its end. */
  async *content({ kind, size }: TarMember): AsyncGenerator<Uint8Array> {
    if (kind !== 'file' && kind !== 'other') return;
    for (let left = size; left > 0; ) {
      const chunk = await this.#bytes.some(left);
      if (chunk === null)
        throw new TarFormatError(`The archive ends at byte ${this.position}, inside of a file`);
      left -= chunk.length;
      yield chunk;
    }
    const padding = await this.#bytes.take((TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK);
    if (padding === null)
      throw new TarFormatError(`The archive ends at byte ${this.position}, inside of a file`);
    if (!isEmpty(padding)) throw new TarFormatError(`The padding before byte ${this.position} is not empty`);
  }

  /** Reads what follows the first empty block. Throws {@link TarFormatError} when it is more than emptiness. */
  async finish(): Promise<void> {
    for (let chunk = await this.#bytes.some(Infinity); chunk; chunk = await this.#bytes.some(Infinity)) {
      if (!isEmpty(chunk))
        throw new TarFormatError(`There is something behind the end, before byte ${this.position}`);
    }
  }

  async #records(block: Buffer, blocks: Buffer[]): Promise<Record<string, string>> {
    const size = octal(block, 124, 12);
    const padded = Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
    if (blocks.reduce((sum, one) => sum + one.length, padded) > LARGEST_PAX) {
      throw new TarFormatError(
        `The pax records before byte ${this.position} are larger than ${LARGEST_PAX} bytes`,
      );
    }
    const content = await this.#bytes.take(padded);
    if (content === null)
      throw new TarFormatError(`The archive ends at byte ${this.position}, inside of pax records`);
    blocks.push(content);
    return parseRecords(content.subarray(0, size), this.position);
  }
}

// --- headers --------------------------------------------------------------------------------------------------------

const KINDS: Record<string, TarMember['kind']> = {
  '0': 'file',
  '\0': 'file',
  '1': 'hard link',
  '2': 'symlink',
  '5': 'directory',
};

function member(header: Buffer, block: Buffer, pax: Record<string, string>): TarMember {
  const prefix = block.toString('latin1', 257, 263) === 'ustar\0' ? text(block, 345, 155) : '';
  const name = pax.path ?? (prefix === '' ? text(block, 0, 100) : `${prefix}/${text(block, 0, 100)}`);
  const kind = KINDS[block.toString('latin1', 156, 157)] ?? 'other';
  return {
    header,
    path: name.replace(/\/+$/, ''),
    kind,
    mode: octal(block, 100, 8),
    owner: octal(block, 108, 8),
    group: octal(block, 116, 8),
    time: octal(block, 136, 12),
    size: pax.size === undefined ? octal(block, 124, 12) : decimal(pax.size),
    target: pax.linkpath ?? text(block, 157, 100),
  };
}

/** `<length> <key>=<value>\n` after each other. */
function parseRecords(content: Buffer, position: number): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(0x20, at);
    const length = blank < 0 || blank - at > 10 ? Number.NaN : Number(content.toString('latin1', at, blank));
    const equals = content.indexOf(0x3d, blank);
    const end = at + length;
    if (!(length > 0) || end > content.length || content[end - 1] !== 0x0a || equals < 0 || equals >= end) {
      throw new TarFormatError(`The pax records before byte ${position} cannot be read`);
    }
    const key = content.toString('utf8', blank + 1, equals);
    if (key === 'path' || key === 'linkpath' || key === 'size') {
      records[key] = content.toString('utf8', equals + 1, end - 1);
    }
    at = end;
  }
  return records;
}

/** The checksum counts its own field as blanks. */
function requireChecksum(block: Buffer, position: number): void {
  let sum = 8 * 0x20;
  for (let at = 0; at < TAR_BLOCK; at++) if (at < 148 || at >= 156) sum += block[at]!;
  const stated = /^[0-7 ]+/.exec(block.toString('latin1', 148, 156))?.[0].trim() ?? '';
  if (Number.parseInt(stated, 8) !== sum)
    throw new TarFormatError(`There is no tar header at byte ${position}`);
}

function text(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString('utf8', start, end < 0 ? start + length : Math.min(end, start + length));
}

function octal(block: Buffer, start: number, length: number): number {
  const digits = block.toString('latin1', start, start + length).replace(/[\0 ]+$/, '');
  if (!/^ *[0-7]*$/.test(digits))
    throw new TarFormatError(`A number of a tar header is not octal: "${digits}"`);
  return Number.parseInt(digits.trim() || '0', 8);
}

function decimal(digits: string): number {
  const value = /^\d{1,16}$/.test(digits) ? Number(digits) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new TarFormatError('A size in pax records is no number');
  return value;
}

function isEmpty(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

// --- bytes ----------------------------------------------------------------------------------------------------------

/** Chunks of any size as bytes in order. */
class ByteReader {
  position = 0;
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Up to so many bytes; null at the end. */
  async some(most: number): Promise<Uint8Array | null> {
    while (this.#rest.length === 0) {
      const { value, done } = await this.#chunks.next();
      if (done) return null;
      this.#rest = value;
    }
    const chunk = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(chunk.length);
    this.position += chunk.length;
    return chunk;
  }

  /** Exactly so many bytes, copied; null when there are fewer. */
  async take(count: number): Promise<Buffer | null> {
    const taken = Buffer.allocUnsafe(count);
    for (let filled = 0; filled < count; ) {
      const chunk = await this.some(count - filled);
      if (chunk === null) return null;
      taken.set(chunk, filled);
      filled += chunk.length;
    }
    return taken;
  }
}
