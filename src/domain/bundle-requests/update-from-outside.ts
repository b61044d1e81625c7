import type { Database, Transaction } from '../database/database.ts';
import { lockRequest } from '../database/sql/bundle-request-rows.ts';
import { recordRequestEvent } from '../database/sql/record-request-event.ts';
import { type RoleSettings, requireWorker } from '../identity/cachito-roles.ts';
import { type Principal, PUBLIC_READER } from '../identity/principal.ts';
import type { BundleRequest, RequestError, RequestEventData } from './bundle-request.ts';
import { configurationFiles, requireFileList } from './cachito-rules/configuration-files.ts';
import { type RequestUpdate, requestUpdate } from './cachito-rules/request-update.ts';
import { nextState } from './cachito-rules/state-change.ts';
import { changeState } from './change-state.ts';
import { requireView } from './permissions.ts';
import { endRequest } from './run-step.ts';
import { addConfigurationFiles, addEnvironment } from './setup.ts';

/**
 * What workers that are not ours may change of a request over Cachito's API: `body` as they send it, all of it or
 * nothing (cachito.md 1.9). A request that they end is over for our own workers too: they lose their steps.
 */
export async function updateFromOutside(
  database: Database,
  settings: RoleSettings,
  principal: Principal,
  id: number,
  body: unknown,
): Promise<BundleRequest> {
  requireWorker(settings, principal);
  const update = requestUpdate(body);
  return await changeVisible(database, settings, principal, id, async (tx, request) => {
    const state = update.change && nextState(request, update.change);
    await recordDetails(tx, request, update);
    if (state) {
      const wasRunning = request.state === 'in_progress';
      await changeState(tx.sql, request, state, update.change!.reason, errorOf(update));
      if (wasRunning && state !== 'in_progress') await endRequest(tx, request);
    }
  });
}

/** Files that a consumer lays over the bundle, beside those that are there (cachito.md 1.10). */
export async function addFilesFromOutside(
  database: Database,
  settings: RoleSettings,
  principal: Principal,
  id: number,
  body: unknown,
): Promise<BundleRequest> {
  requireWorker(settings, principal);
  requireFileList(body);
  return await changeVisible(database, settings, principal, id, async (tx) => {
    const files = configurationFiles(body);
    if (files.length === 0) return;
    await addConfigurationFiles(tx, id, files);
    await recordRequestEvent(tx.sql, id, 'details', { ...NO_DETAILS, configurationFiles: files.length });
  });
}

/** Throws NotFoundError. Gives the request as it is after the change. */
async function changeVisible(
  database: Database,
  { cachitoLoginDisabled }: RoleSettings,
  principal: Principal,
  id: number,
  change: (tx: Transaction, request: BundleRequest) => Promise<void>,
): Promise<BundleRequest> {
  return await database.transaction(async (tx) => {
    await requireView(tx, cachitoLoginDisabled ? PUBLIC_READER : principal, { id });
    await change(tx, await lockRequest(tx.sql, id));
    return await lockRequest(tx.sql, id);
  });
}

const NO_DETAILS: RequestEventData['details'] = {
  environment: 0,
  configurationFiles: 0,
  packagesCount: null,
  dependenciesCount: null,
};

async function recordDetails(
  tx: Transaction,
  { id }: BundleRequest,
  { environment, packagesCount, dependenciesCount }: RequestUpdate,
): Promise<void> {
  if (environment.length === 0 && packagesCount === null && dependenciesCount === null) return;
  await addEnvironment(tx, id, environment);
  await tx.sql.query(
    `update bundle_requests set packages_count = coalesce($2, packages_count),
       dependencies_count = coalesce($3, dependencies_count)
     where id = $1`,
    [id, packagesCount, dependenciesCount],
  );
  await recordRequestEvent(tx.sql, id, 'details', {
    ...NO_DETAILS,
    environment: environment.length,
    packagesCount,
    dependenciesCount,
  });
}

/** Recorded when the worker names both its origin and its type, and the request has failed. */
function errorOf({ change, error }: RequestUpdate): RequestError | null {
  if (change?.state !== 'failed' || error === null) return null;
  return {
    code: 'internal',
    message: change.reason,
    hint: null,
    details: {},
    errorType: error.type,
    errorOrigin: error.origin,
  };
}
