import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '../database/database.ts';
import {
  type ClaimedUpload,
  claimUploadSession,
  deleteUploadSession,
  releaseUploadSession,
  renewUploadSession,
} from '../database/sql/upload-sessions.ts';
import { NotFoundError } from '../errors.ts';
import type { StagedBlob, StagedBlobs } from '../storage/staged-blobs.ts';
import { RegistryError } from './errors.ts';
import type { Chunk } from './receive-chunk.ts';
import type { Algorithm } from './reference.ts';
import { UploadHash } from './upload-hash.ts';

/**
 * Uploads that this gateway is working on. The offset lies in the database and the bytes in the staging area, so that any
 * gateway can go on; the state of the hash stays here and is made anew from the bytes where that is needed.
 *
 * One request at a time writes: a newer one stops the older, whose connection is likely to be dead. What the older one has
 * received is kept, to the last byte, unless a client was told of less in the meantime: it goes on from there. So does one
 * that does not say from where.
 */
export class UploadSessions {
  readonly #database: Database;
  readonly #staged: StagedBlobs;
  readonly #running = new Map<string, HeldUpload>();
  /** Of uploads between two requests; the first is the one that waits the longest. */
  readonly #hashes = new Map<string, UploadHash>();
  #isClosed = false;

  constructor(database: Database, staged: StagedBlobs) {
    this.#database = database;
    this.#staged = staged;
  }

  /** Holds the upload until `release` or `discard`. Throws `blob-upload-unknown`. */
  async hold(
    id: string,
    imageId: number,
    { arrivedAt, range }: Pick<Chunk, 'arrivedAt' | 'range'>,
  ): Promise<HeldUpload> {
    if (this.#isClosed) throw new DOMException('the gateway stops', 'AbortError');
    await this.#running.get(id)?.stop();
    const holder = randomUUID();
    const claimed = await this.#claim({ id, imageId, holder, isUnranged: range === null }, arrivedAt);
    const hash = this.#hashes.get(id) ?? null;
    this.#hashes.delete(id);
    const upload = new HeldUpload(this.#database, this.#staged, { id, holder, ...claimed }, hash, (kept) => {
      this.#running.delete(id);
      if (kept) this.#keep(id, kept);
    });
    this.#running.set(id, upload);
    if (claimed.isTakenOver) await upload.fence();
    return upload;
  }

  isRunning(id: string): boolean {
    return this.#running.has(id);
  }

  /** The upload is over, without anybody having held it. */
  async forget(id: string, { generation, wasHeld }: { generation: number; wasHeld: boolean }): Promise<void> {
    this.#hashes.delete(id);
    if (wasHeld) await this.#staged.remove(stagedName(id, generation));
  }

  /** What a running request has received so far; null: none is running here. Waits a moment for one that is about to end. */
  async progress(id: string): Promise<number | null> {
    const running = this.#running.get(id);
    if (!running) return null;
    await Promise.race([running.ended, sleep(ENDING_MS)]);
    return this.#running.get(id)?.received ?? null;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#running.values()].map((upload) => upload.stop()));
  }

  async #claim(
    claim: { id: string; imageId: number; holder: string; isUnranged: boolean },
    arrivedAt: number,
  ): Promise<ClaimedUpload> {
    for (const deadline = Date.now() + TAKE_OVER_MS; Date.now() < deadline; ) {
      const claimed = await claimUploadSession(this.#database.sql, {
        ...claim,
        ageMs: performance.now() - arrivedAt,
      });
      if (claimed === null) throw unknownUpload(claim.id);
      if (claimed !== 'held') return claimed;
      await this.#running.get(claim.id)?.stop();
      await sleep(RETRY_MS);
    }
    throw new RegistryError('blob-upload-invalid', 'another request is writing to this upload', {
      retryable: true,
    });
  }

  #keep(id: string, hash: UploadHash): void {
    this.#hashes.set(id, hash);
    for (const oldest of this.#hashes.keys()) {
      if (this.#hashes.size <= MOST_HASHES) return;
      this.#hashes.delete(oldest);
    }
  }
}

const ENDING_MS = 300;
const RETRY_MS = 50;
/** Longer than a dead gateway holds an upload. */
const TAKE_OVER_MS = 20_000;
const RENEW_MS = 2_000;
const MOST_HASHES = 5_000;

function stagedName(id: string, generation: number): string {
  return `${id}.${generation}`;
}

export function unknownUpload(id: string): RegistryError {
  return new RegistryError('blob-upload-unknown', 'there is no such upload', { details: { upload: id } });
}

/** An upload while one request has it to itself. */
export class HeldUpload {
  readonly id: string;
  /** Bytes that the disk has: the offset from which the upload goes on, if this gateway is killed now. */
  size: number;
  /** Bytes that have come: the offset from which the upload goes on, if the connection breaks now. */
  received: number;
  /** Aborted when another request wants the upload, or nobody wants it any more. */
  readonly signal: AbortSignal;
  readonly ended: Promise<void>;
  readonly #database: Database;
  readonly #staged: StagedBlobs;
  readonly #holder: string;
  readonly #stopping = new AbortController();
  readonly #onEnd: (kept: UploadHash | null) => void;
  readonly #renewal: NodeJS.Timeout;
  #generation: number;
  #hash: UploadHash | null;
  #isEnded = false;
  #isTold = false;
  #resolveEnded!: () => void;

  constructor(
    database: Database,
    staged: StagedBlobs,
    held: { id: string; holder: string; size: number; generation: number },
    hash: UploadHash | null,
    onEnd: (kept: UploadHash | null) => void,
  ) {
    this.#database = database;
    this.#staged = staged;
    this.id = held.id;
    this.#holder = held.holder;
    this.size = held.size;
    this.received = held.size;
    this.#generation = held.generation;
    this.#hash = hash?.size === held.size ? hash : null;
    this.#onEnd = onEnd;
    this.signal = this.#stopping.signal;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#renewal = setInterval(() => void this.#renew(), RENEW_MS);
  }

  /** The staged bytes, by the name that only this holder and those before it know. */
  get name(): string {
    return stagedName(this.id, this.#generation);
  }

  /** Hash of what was received so far; null: it must be made from the bytes. */
  hashFor(algorithm: Algorithm): UploadHash | null {
    if (this.size === 0) this.#hash = new UploadHash(algorithm);
    return this.#hash?.knows(algorithm) && this.#hash.size === this.size ? this.#hash : null;
  }

  /** The hash goes on where it can; else the bytes are read again at the end, once. */
  async open(): Promise<{ file: StagedBlob; hash: UploadHash | null }> {
    if (this.size === 0) this.#hash = new UploadHash('sha256');
    return { file: await this.#opened(), hash: this.#hash };
  }

  /** Sets back to so many bytes: what came behind them does not count. */
  setBack(size: number): void {
    this.size = size;
    this.received = size;
    if (this.#hash?.size !== size) this.#hash = null;
  }

  /** From now on nothing that an earlier holder writes, however late, lands in this upload. */
  async fence(): Promise<void> {
    const old = this.name;
    this.#generation += 1;
    try {
      await this.#staged.move(old, this.size, this.name);
    } catch (error) {
      await this.discard();
      throw error instanceof NotFoundError ? unknownUpload(this.id) : error;
    }
  }

  /** Makes the running request end; resolves when it has written down how far it came. */
  async stop(): Promise<void> {
    this.#stopping.abort(new DOMException('the upload goes on elsewhere', 'AbortError'));
    await this.ended;
  }

  /** The client is answered with how far the upload is, and goes on from there: all of it counts. */
  told(): void {
    this.#isTold = true;
  }

  /** Lets the next request go on, unless the upload is over. */
  async release(): Promise<void> {
    if (this.#isEnded) return;
    clearInterval(this.#renewal);
    const { id, size } = this;
    let counted: number | null = null;
    try {
      const [holder, generation, isTold] = [this.#holder, this.#generation, this.#isTold];
      const held = { id, holder, size, generation, isTold };
      counted = await releaseUploadSession(this.#database.sql, held);
    } finally {
      // The hash of bytes that do not count must never meet others in their place.
      this.#end(counted === size ? this.#hash : null);
    }
  }

  /** The upload became a blob, and its row is gone. */
  finished(): void {
    this.#end(null);
  }

  /** Nothing of it stays. */
  async discard(): Promise<void> {
    clearInterval(this.#renewal);
    try {
      await deleteUploadSession(this.#database.sql, this.id);
      await this.#staged.remove(this.name);
    } finally {
      this.#end(null);
    }
  }

  async #opened(): Promise<StagedBlob> {
    try {
      return await this.#staged.open(this.name, this.size);
    } catch (error) {
      if (error instanceof NotFoundError) throw unknownUpload(this.id);
      throw error;
    }
  }

  #end(kept: UploadHash | null): void {
    this.#isEnded = true;
    clearInterval(this.#renewal);
    this.#onEnd(kept);
    this.#resolveEnded();
  }

  async #renew(): Promise<void> {
    const held = { id: this.id, holder: this.#holder, size: this.size };
    const isOurs = await renewUploadSession(this.#database.sql, held).catch(() => true);
    if (!isOurs) this.#stopping.abort(new DOMException('the upload goes on elsewhere', 'AbortError'));
  }
}
