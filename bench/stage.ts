import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { prepareDatabase } from '../src/cli/prepare-database.ts';
import { startEmbeddedPostgres } from '../src/domain/database/embedded-postgres.ts';

/** Where benchmarks take place: a temporary directory with a PostgreSQL, and everything that has to end with them. */
export class Stage {
  readonly root: string;
  readonly #admin: string;
  readonly #endings: (() => Promise<unknown>)[] = [];
  #databases = 0;
  #closing: Promise<void> | null = null;

  private constructor(root: string, admin: string) {
    this.root = root;
    this.#admin = admin;
  }

  /** The database is as durable as in production: commits wait for the disk. */
  static async open(): Promise<Stage> {
    const root = await mkdtemp(join(tmpdir(), 'stowage-bench-'));
    const postgres = await startEmbeddedPostgres({ dataDir: root });
    const admin = new URL(postgres.url);
    admin.pathname = '/postgres';
    const stage = new Stage(root, admin.href);
    stage.atEnd(() => rm(root, { recursive: true, force: true }));
    stage.atEnd(() => postgres.stop({ evenIfUsed: true }));
    await stage.#administer('create database template_migrated');
    await prepareDatabase(stage.#urlOf('template_migrated'));
    return stage;
  }

  /** A migrated, empty database of its own. */
  async newDatabase(): Promise<string> {
    this.#databases += 1;
    const name = `bench_${this.#databases}`;
    await this.#administer(`create database ${name} template template_migrated strategy file_copy`);
    return this.#urlOf(name);
  }

  async dropDatabase(url: string): Promise<void> {
    // The whole cluster goes.
    if (this.#closing) return;
    await this.#administer(`drop database if exists ${new URL(url).pathname.slice(1)} with (force)`);
  }

  /**
   * Stays until the end: ext4 does not use the inode of a file again for some minutes, and looks through all of those
   * whenever a file is made, so that a round that removes its files makes the next one slow.
   */
  async newDirectory(): Promise<string> {
    return await mkdtemp(join(this.root, 'run-'));
  }

  /** The last one is done first. */
  atEnd(ending: () => Promise<unknown>): void {
    this.#endings.push(ending);
  }

  /** Ends everything, whatever fails. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const ending of this.#endings.reverse()) {
      try {
        await ending();
      } catch (error) {
        process.stderr.write(`bench: ${(error as Error).message}\n`);
      }
    }
  }

  #urlOf(database: string): string {
    const url = new URL(this.#admin);
    url.pathname = `/${database}`;
    return url.href;
  }

  async #administer(statement: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.#admin });
    await client.connect();
    try {
      await client.query(statement);
    } finally {
      await client.end();
    }
  }
}
