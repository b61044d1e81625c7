import { setTimeout as sleep } from 'node:timers/promises';
import { layOutBundle } from '../../domain/bundles/bundle-manifest.ts';
import { type SourceMemberCache, sourceListing, sourceMember } from '../../domain/bundles/source-member.ts';
import { recordBlobs } from '../../domain/database/sql/record-blobs.ts';
import { findSourceMember, insertSourceMember } from '../../domain/database/sql/source-members.ts';
import { openSnapshot } from '../../domain/sources/source-snapshot.ts';
import type { Digest, StoredBlob } from '../../domain/storage/blob-store.ts';
import { untilAborted } from '../until-aborted.ts';
import type { WorkerContext } from '../worker-context.ts';

/** Downloads begin first: from then on most of the time is waiting. */
const HEAD_START_MS = 150;

/**
 * The compressed source parts of bundles, kept by the database. A worker compresses a source while the network is waited
 * for: when all packages are there, the bundle does not wait for it any more.
 */
export class SourceMembers implements SourceMemberCache {
  readonly #context: WorkerContext;
  readonly #stop = new AbortController();
  readonly #inPreparation = new Map<Digest, Promise<void>>();
  readonly #announced = new Map<Digest, Promise<void>>();
  #last: Promise<void> = Promise.resolve();

  constructor(context: WorkerContext) {
    this.#context = context;
  }

  async find(listing: Digest, writer: string, signal: AbortSignal): Promise<StoredBlob | null> {
    const preparation = this.#inPreparation.get(listing);
    if (preparation) await untilAborted(preparation, signal);
    return await findSourceMember(this.#context.database.sql, listing, writer);
  }

  async insert(listing: Digest, writer: string, member: StoredBlob): Promise<void> {
    const { sql } = this.#context.database;
    await recordBlobs(sql, [member]);
    await insertSourceMember(sql, listing, writer, member.digest);
  }

  /** Compresses a source as it is, beside everything else, one after the other; whoever assembles the bundle finds it. */
  prepare(snapshot: Digest): void {
    this.#last = this.#last
      .then(() => sleep(HEAD_START_MS, undefined, { signal: this.#stop.signal }))
      .then(() => this.#prepare(snapshot))
      // A bundle that finds nothing here compresses its source itself, and then reports what is wrong.
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted)
          this.#context.logger.info({ err: error }, 'a source was not compressed');
      });
    const announced = this.#last.finally(() => {
      if (this.#announced.get(snapshot) === announced) this.#announced.delete(snapshot);
    });
    this.#announced.set(snapshot, announced);
  }

  /** Resolves when a source that is being prepared is so. */
  async prepared(snapshot: Digest): Promise<void> {
    await this.#announced.get(snapshot);
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error('the worker stops'));
    await this.#last;
  }

  async #prepare(snapshot: Digest): Promise<void> {
    const { blobs, database } = this.#context;
    const { signal } = this.#stop;
    signal.throwIfAborted();
    const source = await openSnapshot(blobs, snapshot);
    const contents = layOutBundle({ source, sourceChanges: [], files: [], directories: [] });
    const listing = sourceListing(contents);
    if (this.#inPreparation.has(listing)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#inPreparation.set(listing, promise);
    const { insert } = this;
    const sourceMembers: SourceMemberCache = {
      // Not through this cache: it would wait for itself.
      find: (digest, writer) => findSourceMember(database.sql, digest, writer),
      insert: insert.bind(this),
    };
    try {
      await sourceMember({ blobs, source, sourceMembers, signal }, contents);
    } finally {
      this.#inPreparation.delete(listing);
      resolve();
    }
  }
}
