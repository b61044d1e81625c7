import type {
  BundleRequestStep,
  StateHistoryEntry,
  StepCounters,
} from '../../../domain/bundle-requests/bundle-request.ts';
import { builder } from '../builder.ts';
import { PackageManagerEnum, RequestStateEnum, StepStateEnum, StepTaskEnum } from './enums.ts';

const StepProgressRef = builder.objectRef<StepCounters>('StepProgress').implement({
  description: 'Counters of a step; what is null is not known.',
  fields: (t) => ({
    packages: t.exposeInt('packages'),
    expectedPackages: t.exposeInt('expectedPackages'),
    files: t.exposeInt('files'),
    expectedFiles: t.exposeInt('expectedFiles'),
    cachedFiles: t.exposeInt('cachedFiles', { description: 'Files that were in the store already.' }),
    bytes: t.expose('bytes', { type: 'Bytes', description: 'Fetched.' }),
  }),
});

export const StepRef = builder.objectRef<BundleRequestStep>('BundleRequestStep').implement({
  fields: (t) => ({
    number: t.int({ nullable: false, resolve: (step) => step.id }),
    task: t.expose('task', { type: StepTaskEnum, nullable: false }),
    packageManager: t.expose('packageManager', { type: PackageManagerEnum }),
    state: t.expose('state', { type: StepStateEnum, nullable: false }),
    attempt: t.exposeInt('attempt', {
      nullable: false,
      description: 'How often a worker took the step: more than once after a crash.',
    }),
    queuedAt: t.expose('queuedAt', { type: 'DateTime' }),
    startedAt: t.expose('startedAt', { type: 'DateTime' }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime' }),
    progress: t.expose('progress', { type: StepProgressRef, nullable: false }),
  }),
});

export const StateChangeRef = builder.objectRef<StateHistoryEntry>('StateChange').implement({
  fields: (t) => ({
    version: t.exposeInt('version', { nullable: false }),
    state: t.expose('state', { type: RequestStateEnum, nullable: false }),
    reason: t.exposeString('reason', { nullable: false }),
    at: t.expose('at', { type: 'DateTime', nullable: false }),
    atExact: t.expose('atExact', { type: 'ExactDateTime', nullable: false }),
  }),
});
