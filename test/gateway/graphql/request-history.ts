import { changeState } from '../../../src/domain/bundle-requests/change-state.ts';
import { endRequest } from '../../../src/domain/bundle-requests/run-step.ts';
import { submitRequest } from '../../../src/domain/bundle-requests/submit.ts';
import { lockRequest } from '../../../src/domain/database/sql/bundle-request-rows.ts';
import { recordRequestEvent } from '../../../src/domain/database/sql/record-request-event.ts';
import type { SqlExecutor } from '../../../src/domain/database/sql-executor.ts';
import type { TestGateway } from '../../support/gateway.ts';

/** Makes happen to a request what a worker would, one event at a time. */
export class RequestHistory {
  readonly number: number;
  readonly #gateway: TestGateway;

  private constructor(gateway: TestGateway, number: number) {
    this.#gateway = gateway;
    this.number = number;
  }

  static async begin(
    gateway: TestGateway,
    submitter = 'ada',
    projectName: string | null = 'apps',
  ): Promise<RequestHistory> {
    const { database, settings } = gateway.stack;
    const { id } = await submitRequest(database, settings, await gateway.principal(submitter), {
      repository: 'https://git.example/a.git',
      packageManagers: [],
      projectName,
    });
    return new RequestHistory(gateway, id);
  }

  /** Adds so many events, each in a transaction of its own. */
  async progress(count = 1): Promise<void> {
    const { database } = this.#gateway.stack;
    for (let files = 0; files < count; files++) {
      await database.transaction(({ sql }) => this.#record(sql, files));
    }
  }

  /** Adds so many events in one transaction. */
  async progressAtOnce(count: number): Promise<void> {
    await this.#gateway.stack.database.transaction(async ({ sql }) => {
      for (let files = 0; files < count; files++) await this.#record(sql, files);
    });
  }

  async #record(sql: SqlExecutor, files: number): Promise<void> {
    const progress = { stepId: 1, task: 'fetch-source', packageManager: null, files } as const;
    await recordRequestEvent(sql, this.number, 'progress', progress);
  }

  /** The last event of this attempt is not the one that changes the state: steps end after it. */
  async end(state: 'complete' | 'failed' | 'cancelled'): Promise<number> {
    return await this.#gateway.stack.database.transaction(async (tx) => {
      const request = await lockRequest(tx.sql, this.number);
      await changeState(tx.sql, request, state, `The request is ${state}`);
      await endRequest(tx, request);
      return (await lockRequest(tx.sql, this.number)).version;
    });
  }
}

/** The first so many items; the source is ended. */
export async function take<T>(source: AsyncIterable<T>, count: number): Promise<T[]> {
  const items: T[] = [];
  for await (const item of source) {
    items.push(item);
    if (items.length >= count) break;
  }
  return items;
}

export async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  return await take(source, Number.POSITIVE_INFINITY);
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}
