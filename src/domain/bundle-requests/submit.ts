import type { Settings } from '../config.ts';
import type { Database, Transaction } from '../database/database.ts';
import { findRequest } from '../database/sql/bundle-request-rows.ts';
import { insertRequest } from '../database/sql/insert-request.ts';
import { insertSteps } from '../database/sql/insert-steps.ts';
import { ForbiddenError, NotFoundError } from '../errors.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import { requireProjectRole } from '../identity/projects.ts';
import type { PackageManager } from '../packages/package.ts';
import { Seal, type SealSettings } from '../secrets/seal.ts';
import type { BundleRequest, NewRequest, StepTask } from './bundle-request.ts';
import { type Submission, validSubmission } from './native-rules/submission.ts';
import { enterQueue, markQueued, type QueueSettings } from './request-queue.ts';
import { INITIAL_REASON } from './state-reasons.ts';

/** Stores the request, its steps and its first job in one transaction. */
export async function submitRequest(
  database: Database,
  settings: Settings,
  principal: Principal,
  submission: Submission,
): Promise<BundleRequest> {
  requireScope(principal, 'write');
  const input = validSubmission(submission, settings);
  return await database.transaction(async (tx) => {
    const projectId = await projectOf(tx, principal, submission.projectName ?? null);
    if (submission.uploadId != null) await requireUpload(tx, principal, submission.uploadId);
    const { userId } = principal;
    return await storeRequest(tx, settings, { ...input, projectId, userId, submittedById: null });
  });
}

/** Stores what is known to be valid, under whichever rules. */
export async function storeRequest(
  tx: Transaction,
  settings: QueueSettings & SealSettings,
  request: NewRequest,
): Promise<BundleRequest> {
  const seal = await Seal.open(settings);
  const stored = { ...request, repository: seal.sealUrl(request.repository) };
  const id = await insertRequest(tx.sql, stored, INITIAL_REASON);
  await insertSteps(tx.sql, id, [
    { task: 'fetch-source', packageManager: null, state: 'queued' },
    ...stepsOf(request.packageManagers),
  ]);
  await markQueued(tx.sql, id, 'fetch-source', null);
  await enterQueue(tx.sql, settings, { ...request, id });
  return (await findRequest(tx.sql, id))!;
}

/** The steps that follow the source, waiting. */
function stepsOf(
  managers: readonly PackageManager[],
): { task: StepTask; packageManager: PackageManager | null; state: 'waiting' }[] {
  return [
    ...managers.map((packageManager) => ({
      task: 'resolve-packages' as const,
      packageManager,
      state: 'waiting' as const,
    })),
    { task: 'assemble-bundle', packageManager: null, state: 'waiting' },
  ];
}

async function projectOf(tx: Transaction, principal: Principal, name: string | null): Promise<number | null> {
  if (name === null) return null;
  return await requireProjectRole(tx, principal, name, 'developer');
}

export async function requireUpload(
  tx: Pick<Transaction, 'sql'>,
  principal: Principal,
  uploadId: number,
): Promise<void> {
  const [upload] = await tx.sql.query<{ userId: number | null }>(
    'select user_id as "userId" from uploads where id = $1',
    [uploadId],
  );
  if (!upload) throw new NotFoundError(`There is no upload ${uploadId}`);
  if (upload.userId !== principal.userId && !principal.isAdmin) {
    throw new ForbiddenError('This upload belongs to somebody else');
  }
}
