import type {
  RunningBuildRow,
  RunningJobRow,
  RunningStepRow,
} from '../../../domain/database/sql/list-workers.ts';
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

const RunningJobRef = builder.objectRef<RunningJobRow>('RunningJob').implement({
  fields: (t) => ({
    task: t.exposeString('task', { nullable: false }),
    attempt: t.exposeInt('attempt', { nullable: false }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: false }),
    requestNumber: t.exposeInt('requestId'),
    packageManager: t.exposeString('packageManager'),
    buildNumber: t.exposeInt('buildId'),
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
    drainingAt: t.expose('drainingAt', {
      type: 'DateTime',
      description: 'Since when it takes no more jobs, because it stops.',
    }),
    tasks: t.exposeStringList('tasks', { description: 'The only tasks that it takes; null: all.' }),
    jobs: t.expose('jobs', {
      type: [RunningJobRef],
      nullable: false,
      description: 'All jobs that it has now: steps, builds and maintenance.',
    }),
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
