import type { StepState, StepTask } from '../../bundle-requests/bundle-request.ts';
import type { PackageManager } from '../../packages/package.ts';
import type { SqlExecutor } from '../sql-executor.ts';

/** Steps that are there already stay as they are. */
export async function insertSteps(
  sql: SqlExecutor,
  requestId: number,
  steps: readonly { task: StepTask; packageManager: PackageManager | null; state: StepState }[],
): Promise<void> {
  await sql.query(
    `insert into bundle_request_steps (request_id, task, package_manager, state)
     select $1, * from unnest($2::text[], $3::text[], $4::text[])
     on conflict do nothing`,
    [
      requestId,
      steps.map((step) => step.task),
      steps.map((step) => step.packageManager),
      steps.map((step) => step.state),
    ],
  );
}
