import type { DeadJob } from '../../../domain/database/sql/dead-jobs.ts';
import { discardDeadJob, listDead, retryDeadJob } from '../../../domain/queue/dead-jobs.ts';
import { findTaskQueues, pauseTask, resumeTask, type TaskQueue } from '../../../domain/queue/paused-tasks.ts';
import { builder } from '../builder.ts';
import { complexityByRows, connectionById, PAGE_SIZES } from '../connections.ts';

const TaskPauseRef = builder.objectRef<NonNullable<TaskQueue['pause']>>('TaskPause').implement({
  fields: (t) => ({
    reason: t.exposeString('reason'),
    pausedBy: t.exposeString('pausedBy', { description: 'Null: the command line, or a user that is gone.' }),
    pausedAt: t.expose('pausedAt', { type: 'DateTime', nullable: false }),
  }),
});

const TaskQueueRef = builder.objectRef<TaskQueue>('TaskQueue').implement({
  description: 'The jobs of one task, by what becomes of them next.',
  fields: (t) => ({
    task: t.exposeString('task', { nullable: false }),
    waiting: t.exposeInt('waiting', {
      nullable: false,
      description: 'Requests that have no place of their project yet, and no jobs.',
    }),
    ready: t.exposeInt('ready', { nullable: false }),
    scheduled: t.exposeInt('scheduled', {
      nullable: false,
      description: 'Later, or again after a failure.',
    }),
    running: t.exposeInt('running', { nullable: false }),
    failed: t.exposeInt('failed', { nullable: false, description: 'For good: see `deadJobs`.' }),
    oldestSeconds: t.exposeFloat('oldestSeconds', {
      nullable: false,
      description: 'How long the oldest one has waited that could run now.',
    }),
    pause: t.expose('pause', {
      type: TaskPauseRef,
      description: 'Workers begin no jobs of it; null: they do.',
    }),
  }),
});

const DeadJobRef = builder.objectRef<DeadJob>('DeadJob').implement({
  description: 'A job that failed, or ended its worker, as often as it may.',
  fields: (t) => ({
    number: t.exposeInt('id', { nullable: false }),
    task: t.exposeString('task', { nullable: false }),
    attempts: t.exposeInt('attempts', { nullable: false }),
    lastError: t.exposeString('lastError', { description: 'Null: it never failed, its workers died.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    requestNumber: t.exposeInt('requestId'),
    packageManager: t.exposeString('packageManager'),
    buildNumber: t.exposeInt('buildId'),
  }),
});

builder.queryFields((t) => ({
  taskQueues: t.field({
    type: [TaskQueueRef],
    nullable: false,
    description: 'Every task of the workers. For administrators.',
    resolve: (_root, _args, { database, principal }) => findTaskQueues(database, principal),
  }),
  deadJobs: t.connection({
    type: DeadJobRef,
    nullable: false,
    description: 'Jobs that failed for good, newest first. For administrators.',
    complexity: complexityByRows(PAGE_SIZES),
    resolve: (_root, args, { database, principal }) =>
      connectionById(args, PAGE_SIZES, (range) => listDead(database, principal, range)),
  }),
}));

builder.mutationFields((t) => ({
  pauseTask: t.field({
    type: [TaskQueueRef],
    nullable: false,
    description: 'Workers begin no more jobs of a task; those that run go on. For administrators.',
    errors: {},
    args: { task: t.arg.string({ required: true }), reason: t.arg.string() },
    resolve: async (_root, { task, reason }, { database, principal }) => {
      await pauseTask(database, principal, task, reason ?? null);
      return await findTaskQueues(database, principal);
    },
  }),
  resumeTask: t.field({
    type: [TaskQueueRef],
    nullable: false,
    description: 'For administrators.',
    errors: {},
    args: { task: t.arg.string({ required: true }) },
    resolve: async (_root, { task }, { database, principal }) => {
      await resumeTask(database, principal, task);
      return await findTaskQueues(database, principal);
    },
  }),
  retryDeadJob: t.field({
    type: DeadJobRef,
    nullable: false,
    description: 'Retries its request or build, or runs the job again. For administrators.',
    errors: {},
    args: { number: t.arg.int({ required: true }) },
    resolve: (_root, { number }, { database, settings, principal }) =>
      retryDeadJob(database, settings, principal, number),
  }),
  discardDeadJob: t.field({
    type: DeadJobRef,
    nullable: false,
    description: 'Forgets the job; its request or build stays as it is. For administrators.',
    errors: {},
    args: { number: t.arg.int({ required: true }) },
    resolve: (_root, { number }, { database, principal }) => discardDeadJob(database, principal, number),
  }),
}));
