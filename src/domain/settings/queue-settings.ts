import { row, type SettingRow } from './setting-row.ts';
import { count, duration, taskConcurrency, tasks } from './values.ts';

/** The queue: which jobs a worker takes, and how many may wait. */
export const QUEUE_SETTINGS: readonly SettingRow[] = [
  row({
    variable: 'STOWAGE_WORKER_TASKS',
    key: 'workerTasks',
    parse: tasks,
    fallback: () => null,
    meaning:
      'the only tasks that this worker takes, or with - those that it does not, such as -build-image; all when unset',
  }),
  row({
    variable: 'STOWAGE_TASK_CONCURRENCY',
    key: 'taskConcurrency',
    parse: taskConcurrency,
    fallback: () => ({}),
    meaning: 'tasks that have places of their own in a worker, and how many, such as resolve-packages=4',
  }),
  row({
    variable: 'STOWAGE_DRAIN_TIME',
    key: 'drainSeconds',
    parse: duration,
    fallback: () => 5,
    meaning: 'how long a worker that is told to stop lets its jobs run; another one then begins them anew',
  }),
  row({
    variable: 'STOWAGE_PROJECT_REQUEST_CONCURRENCY',
    key: 'projectRequestConcurrency',
    parse: count(1, 10_000),
    fallback: () => 32,
    meaning: 'requests at a time of one project, or of one user outside of projects; others wait',
  }),
  row({
    variable: 'STOWAGE_PROJECT_REQUEST_LIMIT',
    key: 'projectRequestLimit',
    parse: count(1),
    fallback: () => 10_000,
    meaning:
      'most requests of a project, or of a user outside of projects, that wait or run; more are refused',
  }),
  row({
    variable: 'STOWAGE_PROJECT_BUILD_LIMIT',
    key: 'projectBuildLimit',
    parse: count(1),
    fallback: () => 1_000,
    meaning: 'most builds of a project that wait or run; more are refused',
  }),
];
