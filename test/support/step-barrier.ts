import pg from 'pg';
import type { StepTask } from '../../src/domain/bundle-requests/bundle-request.ts';

/**
 * Holds up whoever brings a step of one task into a state, inside of its transaction: the moment in which a worker can be
 * killed is then known, and no test has to sleep.
 */
export class StepBarrier {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async raise(
    databaseUrl: string,
    task: StepTask,
    state: 'running' | 'succeeded',
  ): Promise<StepBarrier> {
    const client = new pg.Client({ connectionString: databaseUrl });
    client.on('error', () => undefined);
    await client.connect();
    await client.query(`select pg_advisory_lock(${LOCK})`);
    await client.query(`
      create or replace function barrier() returns trigger language plpgsql as $$
      begin
        perform pg_advisory_xact_lock_shared(${LOCK});
        return new;
      end $$;
      create or replace trigger barrier before update on bundle_request_steps for each row
      when (new.task = '${task}' and new.state = '${state}' and old.state <> '${state}')
      execute function barrier();`);
    return new StepBarrier(client);
  }

  /** Resolves when so many stand before the barrier. */
  async untilReached(count = 1): Promise<void> {
    for (;;) {
      const { rows } = await this.#client.query(
        `select from pg_locks where locktype = 'advisory' and objid = ${LOCK} and not granted`,
      );
      if (rows.length >= count) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Resolves when somebody waits for a row that those before the barrier hold: it is theirs when the barrier is lowered. */
  async untilAwaited(): Promise<void> {
    for (;;) {
      const { rows } = await this.#client.query(
        `select from pg_stat_activity
         where datname = current_database() and wait_event_type = 'Lock' and wait_event in ('transactionid', 'tuple')`,
      );
      if (rows.length > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async lower(): Promise<void> {
    // First, since whoever stands before the barrier holds the table.
    await this.#client.query(`select pg_advisory_unlock(${LOCK})`).catch(() => undefined);
    await this.#client.query('drop trigger if exists barrier on bundle_request_steps').catch(() => undefined);
    await this.#client.end();
  }
}

const LOCK = 4711;
