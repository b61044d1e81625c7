import type { Task } from 'graphile-worker';
import type { BuildPayload, StepPayload, TracedPayload } from '../../domain/database/sql/add-job.ts';
import type { TaskName } from '../../domain/queue/tasks.ts';
import { type SpanAttributes, untilOver } from '../../domain/tracing/span.ts';
import type { Tracing } from '../../domain/tracing/tracing.ts';
import type { WorkerContext } from '../worker-context.ts';

/** The tasks, each of whose jobs is a span of the trace of whoever asked for it; those of the schedule begin their own. */
export function traced(
  { tracing, workerId }: WorkerContext,
  list: Record<TaskName, Task>,
): Record<TaskName, Task> {
  if (!tracing) return list;
  const entries = Object.entries(list).map(([name, work]) => [
    name,
    tracedTask(tracing, workerId, name, work),
  ]);
  return Object.fromEntries(entries) as typeof list;
}

function tracedTask(tracing: Tracing, workerId: string, name: string, work: Task): Task {
  return async (payload, helpers) => {
    const { traceparent, ...subject } = payload as TracedPayload & Partial<StepPayload & BuildPayload>;
    const { id, attempts, created_at } = helpers.job;
    const span = tracing.start(name, {
      kind: 'consumer',
      parent: traceparent ?? null,
      attributes: {
        'stowage.task': name,
        'stowage.worker': workerId,
        'stowage.job': Number(id),
        'stowage.job.attempt': attempts,
        'stowage.job.age_seconds': (Date.now() - created_at.getTime()) / 1000,
        ...subjectOf(subject),
      },
    });
    await untilOver(span, async () => await work(payload, helpers));
  };
}

function subjectOf({ requestId, buildId }: Partial<StepPayload & BuildPayload>): SpanAttributes {
  return {
    ...(requestId !== undefined && { 'stowage.request': requestId }),
    ...(buildId !== undefined && { 'stowage.build': buildId }),
  };
}
