import DataLoader from 'dataloader';
import type { Database } from '../database/database.ts';
import { findVisibleVersions, type RequestVersion } from '../database/sql/list-requests.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import { visibilityParameters } from './visibility.ts';

type Batch = DataLoader<number, RequestVersion | null>;

/** Those that are still being collected, by who asks. */
const openBatches = new WeakMap<Database, Map<string, Batch>>();

const MOST_IN_BATCH = 500;

/**
 * Null when there is none, or none that the principal may see. Costs as good as nothing: clients that poll at the same
 * moment are answered by one statement.
 */
export async function findVersion(
  database: Database,
  principal: Principal,
  number: number,
): Promise<RequestVersion | null> {
  requireScope(principal, 'read');
  return await batchFor(database, principal).load(number);
}

function batchFor(database: Database, principal: Principal): Batch {
  const batches = openBatches.get(database) ?? new Map<string, Batch>();
  openBatches.set(database, batches);
  // All that decides about what is visible.
  const key = visibilityParameters(principal).join();
  let batch = batches.get(key);
  if (!batch) {
    const load = async (numbers: readonly number[]): Promise<(RequestVersion | null)[]> => {
      batches.delete(key);
      const rows = await findVisibleVersions(database.sql, principal, [...new Set(numbers)]);
      const byNumber = new Map(rows.map((row) => [row.id, row]));
      return numbers.map((number) => byNumber.get(number) ?? null);
    };
    batch = new DataLoader(load, {
      cache: false,
      maxBatchSize: MOST_IN_BATCH,
      batchScheduleFn: (dispatch) => void setImmediate(dispatch),
    });
    batches.set(key, batch);
  }
  return batch;
}
