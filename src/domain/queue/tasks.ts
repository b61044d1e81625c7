/** Every task of the queue; the workers implement one file for each. */
export const TASKS = [
  'fetch-source',
  'resolve-packages',
  'assemble-bundle',
  'build-image',
  'compact-log',
  'read-sbom',
  'expire-requests',
  'expire-uploads',
  'collect-garbage',
  'apply-retention',
  'scrub-store',
] as const;
export type TaskName = (typeof TASKS)[number];

/**
 * Flag of every job of a task that somebody may pause: a worker forbids itself the flags of paused tasks, so that the queue
 * passes over their jobs.
 */
export function taskFlag(task: TaskName): string {
  return `task:${task}`;
}
