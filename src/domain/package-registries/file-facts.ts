import type { Readable } from 'node:stream';
import pLimit from 'p-limit';
import { findFileFacts, insertFileFacts } from '../database/sql/package-file-facts.ts';
import type { SqlExecutor } from '../database/sql-executor.ts';
import type { BlobStore, Digest } from '../storage/blob-store.ts';

/** Reads what a registry tells about a package out of its file. */
export interface FactsReader<Facts extends object> {
  /** With a version that is raised when the rules change: what was read by older ones is read anew. */
  readonly name: string;
  /** Must not fail because of what is in the file: it was accepted into a bundle. */
  read(file: Readable): Promise<Facts>;
}

/** Files that are read at a time: reading is mostly unpacking, and the process has other things to do. */
const CONCURRENCY = 4;

/**
 * Facts about package files, read when somebody first asks and kept by digest: whichever request has the same file finds
 * them there.
 */
export class FileFacts {
  readonly #sql: SqlExecutor;
  readonly #blobs: BlobStore;
  readonly #limit = pLimit(CONCURRENCY);
  readonly #reading = new Map<string, Promise<object>>();

  constructor(sql: SqlExecutor, blobs: BlobStore) {
    this.#sql = sql;
    this.#blobs = blobs;
  }

  /** By digest, for all of the files. */
  async of<Facts extends object>(
    reader: FactsReader<Facts>,
    digests: readonly Digest[],
  ): Promise<Map<Digest, Facts>> {
    const known = await findFileFacts<Facts>(this.#sql, reader.name, digests);
    const missing = [...new Set(digests)].filter((digest) => !known.has(digest));
    const read = await Promise.all(missing.map((digest) => this.#read(reader, digest)));
    for (const [index, facts] of read.entries()) known.set(missing[index]!, facts);
    return known;
  }

  /** Once, however many ask at the same time. */
  async #read<Facts extends object>(reader: FactsReader<Facts>, digest: Digest): Promise<Facts> {
    const key = `${reader.name} ${digest}`;
    let reading = this.#reading.get(key) as Promise<Facts> | undefined;
    if (!reading) {
      reading = this.#limit(() => this.#readAndKeep(reader, digest)).finally(() => this.#reading.delete(key));
      this.#reading.set(key, reading);
    }
    return await reading;
  }

  async #readAndKeep<Facts extends object>(reader: FactsReader<Facts>, digest: Digest): Promise<Facts> {
    // Whoever read it in the meantime has kept it.
    const known = await findFileFacts<Facts>(this.#sql, reader.name, [digest]);
    if (known.has(digest)) return known.get(digest)!;
    const file = this.#blobs.read(digest);
    try {
      const facts = await reader.read(file);
      await insertFileFacts(this.#sql, reader.name, digest, facts);
      return facts;
    } finally {
      file.destroy();
    }
  }
}
