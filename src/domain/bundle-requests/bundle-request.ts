import type { DependencyReplacement, Flag, PackageManager, PackageOptions } from '../packages/package.ts';
import type { Digest } from '../storage/blob-store.ts';

/**
 * A request for everything that one commit (or uploaded archive) needs.
 *
 * | from        | to                                                     |
 * | ----------- | ------------------------------------------------------ |
 * | in_progress | in_progress (new reason), complete, failed, cancelled, stale |
 * | complete    | stale                                                  |
 * | failed      | stale, in_progress (retry)                             |
 * | cancelled   | stale, in_progress (retry)                             |
 * | stale       | –                                                      |
 */
export const REQUEST_STATES = ['in_progress', 'complete', 'failed', 'cancelled', 'stale'] as const;
export type RequestState = (typeof REQUEST_STATES)[number];

export const TRANSITIONS: Record<RequestState, readonly RequestState[]> = {
  in_progress: ['in_progress', 'complete', 'failed', 'cancelled', 'stale'],
  complete: ['stale'],
  failed: ['stale', 'in_progress'],
  cancelled: ['stale', 'in_progress'],
  stale: [],
};

/** Among the requests of one project; `low` yields to those of others too. */
export const REQUEST_PRIORITIES = ['high', 'normal', 'low'] as const;
export type RequestPriority = (typeof REQUEST_PRIORITIES)[number];

export const STEP_TASKS = ['fetch-source', 'resolve-packages', 'assemble-bundle'] as const;
export type StepTask = (typeof STEP_TASKS)[number];

/** waiting → queued → running → succeeded | failed; waiting, queued, running → cancelled. A crash: running → running. */
export type StepState = 'waiting' | 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface BundleRequest {
  id: number;
  projectId: number | null;
  userId: number | null;
  submittedById: number | null;
  repository: string | null;
  requestedRef: string | null;
  uploadId: number | null;
  commit: string | null;
  rules: 'native' | 'cachito';
  detect: boolean;
  packageManagers: PackageManager[];
  packages: Partial<Record<PackageManager, PackageOptions[]>>;
  flags: Flag[];
  dependencyReplacements: DependencyReplacement[];
  strictIntegrity: boolean;
  priority: RequestPriority;
  state: RequestState;
  stateReason: string;
  updatedAt: Date;
  version: number;
  attempt: number;
  reasonsRecorded: number;
  error: RequestError | null;
  snapshotId: number | null;
  bundleDigest: Digest | null;
  cyclonedxDigest: Digest | null;
  spdxDigest: Digest | null;
  provenanceDigest: Digest | null;
  packagesCount: number | null;
  dependenciesCount: number | null;
  createdAt: Date;
  finishedAt: Date | null;
  createdAtExact: ExactTime;
  updatedAtExact: ExactTime;
}

/** What a request is made of, whoever asks for it and under whichever rules. */
export type NewRequest = Pick<
  BundleRequest,
  | 'projectId'
  | 'userId'
  | 'submittedById'
  | 'repository'
  | 'requestedRef'
  | 'uploadId'
  | 'rules'
  | 'detect'
  | 'packageManagers'
  | 'packages'
  | 'flags'
  | 'dependencyReplacements'
  | 'strictIntegrity'
  | 'priority'
>;

/** Of a new request, what its submission says: valid by the rules of the interface that it came by. */
export type ValidSubmission = Omit<NewRequest, 'projectId' | 'userId' | 'submittedById'>;

/** A time with microseconds in UTC: `2019-09-17T19:42:47.149979Z`. */
export type ExactTime = string;

/** Why a request failed, as users and programs see it. */
export interface RequestError {
  /** FailureCode, or `internal`. */
  code: string;
  message: string;
  hint: string | null;
  details: Record<string, unknown>;
  /** Cachito's names, see cachito.md 2.3. */
  errorType: string;
  errorOrigin: 'client' | 'server';
}

export interface BundleRequestStep {
  id: number;
  requestId: number;
  task: StepTask;
  packageManager: PackageManager | null;
  state: StepState;
  attempt: number;
  workerId: string | null;
  progress: StepCounters;
  /** Of a package manager that has nothing to do in this source: no reason is recorded for it. */
  isIdle: boolean;
  resultDigest: Digest | null;
  queuedAt: Date | null;
  startedAt: Date | null;
  finishedAt: Date | null;
}

export interface StepCounters {
  packages?: number;
  files?: number;
  bytes?: number;
  cachedFiles?: number;
  expectedPackages?: number;
  expectedFiles?: number;
}

export interface StateHistoryEntry {
  version: number;
  state: RequestState;
  reason: string;
  at: Date;
  atExact: ExactTime;
}

/** What subscribers of a request see; `data` by type. */
export interface RequestEventData {
  state: { state: RequestState; reason: string };
  source: { commit: string | null; files: number; size: number };
  plan: { packages: Partial<Record<PackageManager, PackageOptions[]>>; evidence: Record<string, string[]> };
  step: {
    stepId: number;
    task: StepTask;
    packageManager: PackageManager | null;
    state: StepState;
    attempt: number;
  };
  progress: { stepId: number; task: StepTask; packageManager: PackageManager | null } & StepCounters;
  /** What a worker from outside added: how many variables and files, and the counts that it found. */
  details: {
    environment: number;
    configurationFiles: number;
    packagesCount: number | null;
    dependenciesCount: number | null;
  };
}
