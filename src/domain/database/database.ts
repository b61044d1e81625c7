import { createHash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { MikroORM } from '@mikro-orm/postgresql';
import { CompiledQuery } from 'kysely';
import pg from 'pg';
import { entities } from './entities.ts';
import { releaseLostConnections } from './release-lost-connections.ts';
import type { QueryOptions, SqlExecutor } from './sql-executor.ts';

/** One unit of work: entities through `em`, hand-written statements through `sql`, both in one transaction. */
export interface Transaction {
  em: EntityManager;
  sql: SqlExecutor;
}

export interface Database {
  readonly url: string;
  /** Shared with the job runner. */
  readonly pool: pg.Pool;
  /** Statements outside of transactions. */
  readonly sql: SqlExecutor;
  /** A fresh identity map for reads. */
  em(): EntityManager;
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  url: string;
  /** Connections of this process for plain statements (default 10). Units of work have as many again. */
  connections?: number;
  applicationName?: string;
}

// 64-bit integers: ids and sizes stay below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

/** Opens the pools; the schema must be there (see migrate.ts). */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const connections = options.connections ?? 10;
  const pool = new pg.Pool({
    connectionString: options.url,
    max: connections,
    application_name: options.applicationName ?? 'stowage',
  });
  // A lost connection is an event of the pool; whoever runs a statement gets its own error.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));

  const orm = await MikroORM.init({
    clientUrl: options.url,
    entities,
    pool: { min: 0, max: connections },
    forceUtcTimezone: true,
    // The same values from both pools: MikroORM's own parsers would leave times as text.
    driverOptions: { types: pg.types, onPoolCreated: releaseLostConnections },
    discovery: { warnWhenNoEntities: false },
  });
  const running = new Running();
  return {
    url: options.url,
    pool,
    sql: {
      async query<Row extends object>(text: string, parameters: readonly unknown[] = [], options = {}) {
        const { prepared = false }: QueryOptions = options;
        const name = prepared ? { name: nameOfStatement(text) } : {};
        return (await pool.query({ ...name, text, values: [...parameters] })).rows as Row[];
      },
    },
    em: () => orm.em.fork(),
    transaction: (work) =>
      running.add(orm.em.fork().transactional((em) => work({ em, sql: statementsOf(em) }))),
    async close() {
      // A request may go on behind its client's back; a pool that is closed while it connects for it never ends.
      await running.ended();
      await orm.close();
      await pool.end();
    },
  };
}

/** Transactions that have begun. */
class Running {
  readonly #all = new Set<Promise<unknown>>();

  add<T>(one: Promise<T>): Promise<T> {
    const remove = (): boolean => this.#all.delete(one);
    this.#all.add(one);
    one.then(remove, remove);
    return one;
  }

  async ended(): Promise<void> {
    while (this.#all.size > 0) await Promise.allSettled(this.#all);
  }
}

const namesOfStatements = new Map<string, string>();

function nameOfStatement(text: string): string {
  let name = namesOfStatements.get(text);
  if (name === undefined) {
    name = createHash('sha256').update(text).digest('hex').slice(0, 32);
    namesOfStatements.set(text, name);
  }
  return name;
}

function statementsOf(em: EntityManager): SqlExecutor {
  return {
    async query<Row extends object>(text: string, parameters: readonly unknown[] = []) {
      await em.flush();
      const result = await em.getKysely<never>().executeQuery(CompiledQuery.raw(text, [...parameters]));
      return result.rows as Row[];
    },
  };
}
