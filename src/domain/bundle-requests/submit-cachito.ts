import { isConnectionLost } from '../database/connection-lost.ts';
import type { Database } from '../database/database.ts';
import { userIdOf } from '../database/sql/user-names.ts';
import { DomainError } from '../errors.ts';
import { requireSubmitter } from '../identity/cachito-roles.ts';
import { requireOutsideName } from '../identity/outside-users.ts';
import type { Principal } from '../identity/principal.ts';
import type { SealSettings } from '../secrets/seal.ts';
import type { BundleRequest } from './bundle-request.ts';
import { cachitoSubmission, type SubmissionSettings } from './cachito-rules/submission.ts';
import type { QueueSettings } from './request-queue.ts';
import { storeRequest } from './submit.ts';

/**
 * Submits under the rules of Cachito's API: `body` as its clients send it (cachito.md 3). Whoever submits for somebody
 * else is remembered beside them.
 */
export async function submitCachitoRequest(
  database: Database,
  settings: SubmissionSettings & QueueSettings & SealSettings,
  principal: Principal,
  body: unknown,
): Promise<BundleRequest> {
  const submitter = requireSubmitter(settings, principal);
  const { userName, ...submission } = cachitoSubmission(body, settings, submitter);
  if (userName !== null) requireOutsideName(userName);
  const storing = database.transaction(async (tx) => {
    const isForAnother = userName !== null;
    return await storeRequest(tx, settings, {
      ...submission,
      projectId: null,
      userId: isForAnother ? await userIdOf(tx.sql, userName) : submitter.userId,
      submittedById: isForAnother ? submitter.userId : null,
    });
  });
  return await storing.catch((error: unknown) => {
    throw notScheduled(error);
  });
}

/** What its clients are told while the database is away, so that they try again (cachito.md 3, number 13). */
export function notScheduled(error: unknown): unknown {
  if (!isConnectionLost(error)) return error;
  return new DomainError(
    'database-unavailable',
    'Failed to schedule the task to the workers. Please try again.',
    { cause: error, retryable: true },
  );
}
