import type { BundleRequest } from '../../src/domain/bundle-requests/bundle-request.ts';
import type { Submission } from '../../src/domain/bundle-requests/native-rules/submission.ts';
import { type StepLease, takeStep } from '../../src/domain/bundle-requests/run-step.ts';
import { submitRequest } from '../../src/domain/bundle-requests/submit.ts';
import { readSettings, type Settings } from '../../src/domain/config.ts';
import type { Database } from '../../src/domain/database/database.ts';
import { findSteps } from '../../src/domain/database/sql/bundle-request-rows.ts';
import { SYSTEM } from '../../src/domain/identity/principal.ts';

/** The defaults, untouched by the environment of whoever runs the tests. */
const defaultSettings: Settings = readSettings({});

const WORKER_ID = '00000000-0000-4000-8000-000000000001';

export async function submit(
  database: Database,
  submission: Partial<Submission> = {},
): Promise<BundleRequest> {
  return await submitRequest(database, defaultSettings, SYSTEM, {
    repository: 'https://git.example/org/app.git',
    ref: 'a'.repeat(40),
    ...submission,
  });
}

/** Takes the step of a request as a worker would. */
export async function take(
  database: Database,
  request: BundleRequest,
  task: string,
  packageManager: string | null = null,
  workerId = WORKER_ID,
): Promise<StepLease | null> {
  const steps = await findSteps(database.sql, request.id);
  const step = steps.find((one) => one.task === task && one.packageManager === packageManager);
  const payload = { requestId: request.id, stepId: step!.id, requestAttempt: request.attempt };
  return await takeStep(database, payload, workerId);
}
