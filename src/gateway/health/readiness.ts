import type { Database } from '../../domain/database/database.ts';
import { pendingMigrations } from '../../domain/database/pending-migrations.ts';
import { KeptResult, withTimeout } from '../../domain/kept-result.ts';
import type { BlobStore } from '../../domain/storage/blob-store.ts';

/** What `/readyz` answers. */
export interface Readiness {
  ok: boolean;
  checks: Record<CheckName, CheckResult>;
}

type CheckName = 'database' | 'migrations' | 'blobStore';
type CheckResult = { ok: boolean; milliseconds: number; error?: string };

export interface ReadinessServices {
  database: Pick<Database, 'sql'>;
  blobs: Pick<BlobStore, 'check'>;
}

/** A function that looks at everything a gateway needs, side by side, each with its own time limit. */
export function readinessChecks(
  { database, blobs }: ReadinessServices,
  timeoutMs: number,
): () => Promise<Readiness> {
  const checks: Record<CheckName, () => Promise<unknown>> = {
    database: () => database.sql.query('select 1'),
    migrations: async () => {
      const pending = await pendingMigrations(database.sql);
      if (pending.length > 0) throw new Error(`not applied: ${pending.join(', ')}`);
    },
    blobStore: () => blobs.check({ space: true }),
  };
  // A check that hangs is not started a second time, however often somebody asks.
  const shared = Object.entries(checks).map(([name, check]) => [name, new KeptResult(check, 0)] as const);
  return async () => {
    const results = await Promise.all(
      shared.map(async ([name, check]) => [name, await outcomeOf(check, timeoutMs)] as const),
    );
    return {
      ok: results.every(([, result]) => result.ok),
      checks: Object.fromEntries(results) as Readiness['checks'],
    };
  };
}

async function outcomeOf(check: KeptResult<unknown>, timeoutMs: number): Promise<CheckResult> {
  const started = performance.now();
  const took = (): number => Math.round(performance.now() - started);
  try {
    await withTimeout(check.get(), timeoutMs);
    return { ok: true, milliseconds: took() };
  } catch (error) {
    return { ok: false, milliseconds: took(), error: (error as Error).message };
  }
}
