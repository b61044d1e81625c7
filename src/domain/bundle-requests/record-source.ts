import type { Database } from '../database/database.ts';
import { insertSteps } from '../database/sql/insert-steps.ts';
import { recordRequestEvent } from '../database/sql/record-request-event.ts';
import { PACKAGE_MANAGERS, type PackageManager, type PackageOptions } from '../packages/package.ts';
import type { Digest, StoredBlob } from '../storage/blob-store.ts';
import { addStepJobs, markQueued } from './request-queue.ts';
import { finishStep, type StepLease } from './run-step.ts';

export interface FetchedSource {
  commit: string | null;
  /** Index blob of the snapshot, see src/domain/sources/source-snapshot.ts. */
  snapshot: Digest;
  files: number;
  size: number;
  /** What detection found; null when the request named its package managers. */
  plan: SourcePlan | null;
  /** What the source brings besides its tree, see step-result.ts. */
  result?: Digest | null;
  /** Package managers of the request that have nothing to do. */
  idle?: readonly PackageManager[];
}

export interface SourcePlan {
  packages: Partial<Record<PackageManager, PackageOptions[]>>;
  /** The files that gave a manager away. */
  evidence: Record<string, string[]>;
}

/** Ends `fetch-source`: the source is known, every package manager's step is queued. */
export async function recordSource(
  database: Database,
  lease: StepLease,
  source: FetchedSource,
  blobs: readonly StoredBlob[],
): Promise<void> {
  await finishStep(database, lease, blobs, async (tx, request) => {
    const packages = source.plan?.packages ?? request.packages;
    const managers = source.plan
      ? PACKAGE_MANAGERS.filter((manager) => packages[manager] !== undefined)
      : request.packageManagers;
    await tx.sql.query(
      `update bundle_requests
       set commit = $2, package_managers = $3, packages = $4::jsonb,
         snapshot_id = (select id from source_snapshots where index_digest = $5 order by id limit 1)
       where id = $1`,
      [request.id, source.commit, managers, JSON.stringify(packages), source.snapshot],
    );
    await tx.sql.query('update bundle_request_steps set result_digest = $2 where id = $1', [
      lease.step.id,
      source.result ?? null,
    ]);
    const { commit, files, size } = source;
    await recordRequestEvent(tx.sql, request.id, 'source', { commit, files, size });
    const evidence = source.plan?.evidence ?? {};
    await recordRequestEvent(tx.sql, request.id, 'plan', { packages, evidence });

    await insertSteps(
      tx.sql,
      request.id,
      managers.map((packageManager) => ({ task: 'resolve-packages', packageManager, state: 'waiting' })),
    );
    await tx.sql.query(
      'update bundle_request_steps set is_idle = package_manager = any($2) where request_id = $1 and package_manager is not null',
      [request.id, source.idle ?? []],
    );
    for (const manager of managers) {
      await markQueued(tx.sql, request.id, 'resolve-packages', manager);
    }
    if (managers.length === 0) await markQueued(tx.sql, request.id, 'assemble-bundle', null);
    await addStepJobs(tx.sql, request);
  });
}
