import type { RunningBuildRow, RunningStepRow } from '../../../domain/database/sql/list-workers.ts';
import { findLiveWorkers, type LiveWorker } from '../../../domain/live-workers.ts';
import { builder } from '../builder.ts';
import { ImageBuildRef } from '../images/refs.ts';

const RunningStepRef = builder.objectRef<RunningStepRow>('RunningStep').implement({
  fields: (t) => ({
    requestNumber: t.exposeInt('requestId', { nullable: false }),
    task: t.exposeString('task', { nullable: false }),
    packageManager: t.exposeString('packageManager'),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: false }),
  }),
});

const RunningBuildRef = builder.objectRef<RunningBuildRow>('RunningBuild').implement({
  fields: (t) => ({
    build: t.field({
      type: ImageBuildRef,
      resolve: ({ buildId }, _args, { loaders }) => loaders.images.build.load(buildId),
    }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: false }),
  }),
});

const WorkerRef = builder.objectRef<LiveWorker>('Worker').implement({
  description: 'A process that runs steps and builds images.',
  fields: (t) => ({
    id: t.exposeID('id', { nullable: false }),
    host: t.exposeString('host', { nullable: false }),
    pid: t.exposeInt('pid', { nullable: false }),
    concurrency: t.exposeInt('concurrency', { nullable: false }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: false }),
    heartbeatAt: t.expose('heartbeatAt', { type: 'DateTime', nullable: false }),
    running: t.expose('running', { type: [RunningStepRef], nullable: false }),
    builds: t.expose('builds', {
      type: [RunningBuildRef],
      nullable: false,
      description: 'Images that it builds now.',
    }),
  }),
});

builder.queryFields((t) => ({
  workers: t.field({
    type: [WorkerRef],
    nullable: false,
    description: 'Workers that live. For administrators.',
    resolve: (_root, _args, { database, principal }) => findLiveWorkers(database, principal),
  }),
}));
