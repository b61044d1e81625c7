import { createHash } from 'node:crypto';
import { createGunzip } from 'node:zlib';
import type { FailureCode } from '../errors.ts';
import type { Digest } from '../storage/blob-store.ts';
import { tarEntry } from './archive-layout.ts';
import type { BundleManifest, ManifestEntry } from './bundle-manifest.ts';
import { tarEnd, tarHeader, tarHeaderSize, tarPadding } from './deterministic-tar.ts';
import { TarFormatError, type TarMember, TarReader } from './tar-reader.ts';

/** One way in which a bundle is not what it should be. */
export interface Problem {
  code: FailureCode;
  /** Inside of the bundle, or the name of a document; null: the archive as a whole. */
  path: string | null;
  /** In words, without path and values. */
  what: string;
  expected: string | null;
  actual: string | null;
}

export interface VerifiedArchive {
  archive: { digest: Digest; size: number };
  /** Of what could be read. */
  tar: { digest: Digest; size: number };
  entries: number;
  problems: ProblemList;
}

/** Problems in the order in which they were found; a hostile archive cannot make the list grow for ever. */
export class ProblemList {
  readonly shown: Problem[] = [];
  count = 0;

  add(code: FailureCode, path: string | null, what: string, expected?: string, actual?: string): void {
    this.count += 1;
    if (this.shown.length >= MOST_SHOWN) return;
    this.shown.push({ code, path, what, expected: expected ?? null, actual: actual ?? null });
  }
}

const MOST_SHOWN = 200;

/** An archive with so much more in it than its manifest has is not read to its end. */
const MOST_SURPLUS = 64 * 1024 * 1024;

/**
 * Compares an archive (`.tar.gz` or `.tar`) with a manifest: every entry with its type, mode, size, digest, link target,
 * owner and time, their order, and every byte between them, so that an archive without problems is the one that Stowage
 * makes of this manifest. Needs no more memory than the manifest.
 */
export async function verifyArchive(
  archive: AsyncIterable<Uint8Array>,
  manifest: BundleManifest,
  signal: AbortSignal,
): Promise<VerifiedArchive> {
  const problems = new ProblemList();
  const read = new CountedHash();
  const unpacked = new CountedHash();
  const comparison = new Comparison(manifest, problems);
  const limit = 2 * tarSize(manifest) + MOST_SURPLUS;
  const input = counted(archive, read, signal);
  try {
    await compare(new TarReader(capped(unzipped(input), unpacked, limit)), comparison);
    comparison.finish(unpacked.size);
  } catch (error) {
    signal.throwIfAborted();
    const what = unreadable(error);
    if (what === null) throw error;
    problems.add('unexpected-format', null, what);
  }
  // What the reader left over belongs to the digest of the archive.
  for await (const _ of input);
  return {
    archive: { digest: read.digest(), size: read.size },
    tar: { digest: unpacked.digest(), size: unpacked.size },
    entries: comparison.entries,
    problems,
  };
}

async function compare(reader: TarReader, comparison: Comparison): Promise<void> {
  for (let member = await reader.next(); member !== null; member = await reader.next()) {
    const hash = createHash('sha256');
    for await (const chunk of reader.content(member)) hash.update(chunk);
    comparison.add(member, `sha256:${hash.digest('hex')}`);
  }
  await reader.finish();
}

function tarSize({ entries }: BundleManifest): number {
  const size = entries.reduce(
    (sum, entry) => sum + tarHeaderSize(tarEntry(entry)) + entry.size + tarPadding(entry.size),
    0,
  );
  return size + tarEnd(size);
}

// --- bytes ----------------------------------------------------------------------------------------------------------

class CountedHash {
  size = 0;
  readonly #hash = createHash('sha256');

  add(chunk: Uint8Array): void {
    this.size += chunk.length;
    this.#hash.update(chunk);
  }

  digest(): Digest {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}

/** The same chunks, hashed; can be iterated again to get what is left. */
function counted(
  chunks: AsyncIterable<Uint8Array>,
  hash: CountedHash,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    signal.throwIfAborted();
    const result = await iterator.next();
    if (!result.done) hash.add(result.value);
    return result;
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

async function* capped(
  chunks: AsyncIterable<Uint8Array>,
  hash: CountedHash,
  limit: number,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.add(chunk);
    if (hash.size > limit) {
      throw new TarFormatError(
        `The archive holds more than ${limit} bytes, far more than its manifest: not read on`,
      );
    }
    yield chunk;
  }
}

const GZIP_MAGIC = [0x1f, 0x8b];

/** The tar in an archive: of all gzip members, one after another; the bytes themselves when they are no gzip. */
async function* unzipped(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head = Buffer.alloc(0);
  const iterator = input[Symbol.asyncIterator]();
  while (head.length < GZIP_MAGIC.length) {
    const { value, done } = await iterator.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  if (!GZIP_MAGIC.every((byte, at) => head[at] === byte)) {
    yield head;
    yield* input;
    return;
  }
  yield* gunzip(head, input);
}

async function* gunzip(head: Uint8Array, input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unzip = createGunzip();
  let given = 0;
  const feed = async (): Promise<void> => {
    const give = async (chunk: Uint8Array): Promise<void> => {
      given += chunk.length;
      await new Promise<void>((resolve) => {
        unzip.write(chunk, () => resolve());
      });
    };
    await give(head);
    for await (const chunk of input) {
      if (unzip.destroyed) return;
      await give(chunk);
    }
    unzip.end();
  };
  const feeding = feed().catch((error: unknown) => void unzip.destroy(error as Error));
  try {
    yield* unzip as AsyncIterable<Buffer>;
    await feeding;
    if (unzip.bytesWritten < given) {
      throw new TarFormatError(
        `There is something behind the last gzip member, from byte ${unzip.bytesWritten}`,
      );
    }
  } finally {
    unzip.destroy();
  }
}

/** Why an archive cannot be read on, in words; null for errors that are not the archive's. */
function unreadable(error: unknown): string | null {
  if (error instanceof TarFormatError) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  return code?.startsWith('Z_') ? `The archive cannot be unpacked: ${message}` : null;
}

// --- entries --------------------------------------------------------------------------------------------------------

/** Takes members as they come and says what is wrong about them. */
class Comparison {
  entries = 0;
  readonly #manifest: BundleManifest;
  readonly #problems: ProblemList;
  readonly #expected: Map<string, { entry: ManifestEntry; seen: boolean }>;
  #last: { path: string; key: Buffer } | null = null;

  constructor(manifest: BundleManifest, problems: ProblemList) {
    this.#manifest = manifest;
    this.#problems = problems;
    this.#expected = new Map(manifest.entries.map((entry) => [entry.path, { entry, seen: false }]));
  }

  add(member: TarMember, digest: string): void {
    this.entries += 1;
    const expected = this.#expected.get(member.path);
    if (!expected) {
      const isOutside = member.path.startsWith('/') || member.path.split('/').includes('..');
      this.#problems.add(
        isOutside ? 'path-outside-root' : 'checksum-mismatch',
        member.path,
        'is not in the manifest',
        undefined,
        member.kind === 'file' ? digest : member.kind,
      );
      return;
    }
    if (expected.seen) {
      this.#problems.add('checksum-mismatch', member.path, 'is there twice');
      return;
    }
    expected.seen = true;
    this.#compareOrder(member.path);
    if (!this.#compareFields(member, expected.entry, digest)) this.#compareHeader(member, expected.entry);
  }

  /** After the last member. `size`: bytes of the whole tar. */
  finish(size: number): void {
    for (const { entry, seen } of this.#expected.values()) {
      if (!seen)
        this.#problems.add('checksum-mismatch', entry.path, 'is missing', entry.digest ?? entry.type);
    }
    const expected = tarSize(this.#manifest);
    if (this.#problems.count === 0 && size !== expected) {
      this.#problems.add('checksum-mismatch', null, 'The tar has another length', `${expected}`, `${size}`);
    }
  }

  #compareOrder(path: string): void {
    const key = Buffer.from(path);
    if (this.#last && Buffer.compare(this.#last.key, key) > 0) {
      this.#problems.add(
        'checksum-mismatch',
        path,
        `comes after ${this.#last.path}, which is the wrong order`,
      );
    }
    this.#last = { path, key };
  }

  /** True when there was something to say. */
  #compareFields(member: TarMember, entry: ManifestEntry, digest: string): boolean {
    const before = this.#problems.count;
    const differ = (what: string, expected: string | number, actual: string | number): void => {
      if (expected === actual) return;
      this.#problems.add('checksum-mismatch', entry.path, what, String(expected), String(actual));
    };
    if (member.kind !== entry.type) {
      differ('is of another type', entry.type, member.kind);
      return true;
    }
    if (entry.type === 'file') {
      differ('has another size', entry.size, member.size);
      differ('has another digest', entry.digest!, digest);
    }
    if (entry.type === 'symlink') differ('leads elsewhere', entry.target!, member.target);
    differ('has another mode', entry.mode, `0${member.mode.toString(8).padStart(3, '0')}`);
    differ('has another time', this.#manifest.time, member.time);
    differ('has an owner', '0:0', `${member.owner}:${member.group}`);
    return this.#problems.count > before;
  }

  #compareHeader(member: TarMember, entry: ManifestEntry): void {
    if (member.header.equals(tarHeader(tarEntry(entry), this.#manifest.time))) return;
    this.#problems.add('checksum-mismatch', entry.path, 'has another header than Stowage writes');
  }
}
