/** Decompression of bzip2 streams, block by block: a block is at most 900,000 bytes before its run lengths unfold. */

const BLOCK_MAGIC = 0x314159265359;
const END_MAGIC = 0x177245385090;
/** More than a block can take when it is packed. */
const MAX_PACKED_BLOCK = 1_200_000;
const OUTPUT_CHUNK = 64 * 1024;
const MAX_CODE_LENGTH = 20;
const GROUP_SIZE = 50;

/** Throws an Error for anything that is not bzip2. Checksums inside the stream are left to whoever unpacks it. */
export async function* bunzip2(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const input = new BitInput(source);
  await input.fill();
  let streams = 0;
  while (streams === 0 || input.hasMore()) {
    const blockBytes = readStreamHeader(input) * 100_000;
    streams++;
    for (;;) {
      await input.fill();
      const magic = input.bits(24) * 0x1000000 + input.bits(24);
      if (magic === END_MAGIC) break;
      if (magic !== BLOCK_MAGIC) throw new Error('a bzip2 block does not start as it must');
      yield* unfoldRuns(readBlock(input, blockBytes));
    }
    input.bits(32);
    input.alignToByte();
    await input.fill();
  }
}

/** Bits of a stream, most significant first. Reading never waits: `fill` before each block does. */
class BitInput {
  readonly #source: AsyncIterator<Uint8Array>;
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;
  #bitsLeft = 0;
  #done = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async fill(): Promise<void> {
    // The byte whose bits are not all read stays.
    const kept = Math.max(this.#at - 1, 0);
    const chunks: Uint8Array[] = [this.#buffer.subarray(kept)];
    let length = chunks[0]!.length;
    if (this.#done || length >= MAX_PACKED_BLOCK) return;
    while (length < MAX_PACKED_BLOCK) {
      const next = await this.#source.next();
      if (next.done) {
        this.#done = true;
        break;
      }
      chunks.push(next.value);
      length += next.value.length;
    }
    this.#buffer = Buffer.concat(chunks);
    this.#at -= kept;
  }

  hasMore(): boolean {
    return this.#at < this.#buffer.length;
  }

  bit(): number {
    if (this.#bitsLeft === 0) {
      if (this.#at >= this.#buffer.length) throw new Error('the bzip2 data ends too early');
      this.#bitsLeft = 8;
      this.#at++;
    }
    this.#bitsLeft--;
    return (this.#buffer[this.#at - 1]! >> this.#bitsLeft) & 1;
  }

  bits(count: number): number {
    let value = 0;
    for (let read = 0; read < count; read++) value = value * 2 + this.bit();
    return value;
  }

  alignToByte(): void {
    this.#bitsLeft = 0;
  }
}

/** `BZh1` to `BZh9`. */
function readStreamHeader(input: BitInput): number {
  const magic = input.bits(24);
  const level = input.bits(8) - 0x30;
  if (magic !== 0x425a68 || level < 1 || level > 9) throw new Error('it is not bzip2 data');
  return level;
}

/** One block with its runs still folded. */
function readBlock(input: BitInput, blockBytes: number): Uint8Array {
  input.bits(32);
  if (input.bit() === 1) throw new Error('randomised bzip2 blocks are not supported');
  const origin = input.bits(24);
  const symbols = readSymbols(input);
  const tables = readTables(input, symbols.length + 2);
  const last = readMoveToFront(input, blockBytes, symbols, tables);
  if (origin >= last.length) throw new Error('a bzip2 block points outside itself');
  return sortBack(last, origin);
}

/** The bytes that occur, as two levels of bit maps. */
function readSymbols(input: BitInput): number[] {
  const groups = input.bits(16);
  const symbols: number[] = [];
  for (let group = 0; group < 16; group++) {
    if ((groups & (0x8000 >> group)) === 0) continue;
    const members = input.bits(16);
    for (let member = 0; member < 16; member++) {
      if ((members & (0x8000 >> member)) !== 0) symbols.push(group * 16 + member);
    }
  }
  if (symbols.length === 0) throw new Error('a bzip2 block has no symbols');
  return symbols;
}

interface Tables {
  /** Which table decodes each group of 50 symbols. */
  selectors: number[];
  tables: HuffmanTable[];
}

interface HuffmanTable {
  /** By code length: the first code, the number of codes, and where their symbols start. */
  first: Int32Array;
  count: Int32Array;
  start: Int32Array;
  symbols: number[];
}

function readTables(input: BitInput, symbolCount: number): Tables {
  const tableCount = input.bits(3);
  const selectorCount = input.bits(15);
  if (tableCount < 2 || tableCount > 6 || selectorCount < 1) throw new Error('a bzip2 block has bad tables');
  const order = Array.from({ length: tableCount }, (_, index) => index);
  const selectors: number[] = [];
  for (let read = 0; read < selectorCount; read++) {
    let position = 0;
    while (input.bit() === 1)
      if (++position >= tableCount) throw new Error('a bzip2 selector is out of range');
    const [table] = order.splice(position, 1);
    order.unshift(table!);
    selectors.push(table!);
  }
  const tables = Array.from({ length: tableCount }, () => readTable(input, symbolCount));
  return { selectors, tables };
}

function readTable(input: BitInput, symbolCount: number): HuffmanTable {
  const lengths: number[] = [];
  let length = input.bits(5);
  for (let symbol = 0; symbol < symbolCount; symbol++) {
    for (;;) {
      if (length < 1 || length > MAX_CODE_LENGTH) throw new Error('a bzip2 code length is out of range');
      if (input.bit() === 0) break;
      length += input.bit() === 0 ? 1 : -1;
    }
    lengths.push(length);
  }
  const [first, count, start] = [0, 1, 2].map(() => new Int32Array(MAX_CODE_LENGTH + 2)) as [
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  for (const one of lengths) count[one] = count[one]! + 1;
  const symbols: number[] = [];
  let code = 0;
  for (let bits = 1; bits <= MAX_CODE_LENGTH; bits++) {
    first[bits] = code;
    start[bits] = symbols.length;
    for (const [symbol, one] of lengths.entries()) if (one === bits) symbols.push(symbol);
    code = (code + count[bits]!) * 2;
  }
  return { first, count, start, symbols };
}

function decodeSymbol(input: BitInput, { first, count, start, symbols }: HuffmanTable): number {
  let code = 0;
  for (let bits = 1; bits <= MAX_CODE_LENGTH; bits++) {
    code = code * 2 + input.bit();
    const offset = code - first[bits]!;
    if (offset >= 0 && offset < count[bits]!) return symbols[start[bits]! + offset]!;
  }
  throw new Error('a bzip2 code has no symbol');
}

/** Huffman codes, runs of the front symbol (in bijective base 2) and move to front. */
function readMoveToFront(
  input: BitInput,
  blockBytes: number,
  symbols: readonly number[],
  { selectors, tables }: Tables,
): Uint8Array {
  const front = [...symbols];
  const endOfBlock = symbols.length + 1;
  const output = new Uint8Array(blockBytes);
  let length = 0;
  let run = 0;
  let weight = 1;
  const flushRun = () => {
    if (run > blockBytes - length) throw new Error('a bzip2 block is longer than it may be');
    output.fill(front[0]!, length, length + run);
    length += run;
    run = 0;
    weight = 1;
  };
  for (let decoded = 0; ; decoded++) {
    const table = tables[selectors[Math.floor(decoded / GROUP_SIZE)] ?? -1];
    if (!table) throw new Error('a bzip2 block has too few selectors');
    const symbol = decodeSymbol(input, table);
    if (symbol <= 1) {
      run += weight * (symbol + 1);
      weight *= 2;
      if (run > blockBytes) throw new Error('a bzip2 block is longer than it may be');
      continue;
    }
    flushRun();
    if (symbol === endOfBlock) return output.subarray(0, length);
    if (length >= blockBytes) throw new Error('a bzip2 block is longer than it may be');
    const [byte] = front.splice(symbol - 1, 1);
    front.unshift(byte!);
    output[length++] = byte!;
  }
}

/** Undoes the Burrows-Wheeler transform. */
function sortBack(last: Uint8Array, origin: number): Uint8Array {
  const starts = new Int32Array(257);
  for (const byte of last) starts[byte + 1] = starts[byte + 1]! + 1;
  for (let byte = 0; byte < 256; byte++) starts[byte + 1] = starts[byte + 1]! + starts[byte]!;
  const next = new Int32Array(last.length);
  for (let index = 0; index < last.length; index++) {
    const byte = last[index]!;
    next[starts[byte]!] = index;
    starts[byte] = starts[byte]! + 1;
  }
  const sorted = new Uint8Array(last.length);
  let at = next[origin]!;
  for (let index = 0; index < last.length; index++) {
    sorted[index] = last[at]!;
    at = next[at]!;
  }
  return sorted;
}

/** Four equal bytes are followed by the number of further ones. */
function* unfoldRuns(block: Uint8Array): Generator<Uint8Array> {
  let output = new Uint8Array(OUTPUT_CHUNK);
  let length = 0;
  let same = 0;
  let previous = -1;
  for (const byte of block) {
    if (same === 4) {
      // At most 255 more: the chunk has room for them.
      output.fill(previous, length, length + byte);
      length += byte;
      same = 0;
      previous = -1;
    } else {
      same = byte === previous ? same + 1 : 1;
      previous = byte;
      output[length++] = byte;
    }
    if (length > OUTPUT_CHUNK - 256) {
      yield output.subarray(0, length);
      output = new Uint8Array(OUTPUT_CHUNK);
      length = 0;
    }
  }
  if (length > 0) yield output.subarray(0, length);
}
