import { EventEmitter } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import type { WorkerEvents } from 'graphile-worker';
import { expect, test } from 'vitest';
import { JobPlaces } from '../../src/workers/job-places.ts';

type AnyEvents = EventEmitter<Record<string, []>>;

/** A pool whose events are told by hand. */
function poolOf(places: JobPlaces): {
  take: (name: string) => void;
  tell: (event: string) => void;
  took: string[];
} {
  const events = new EventEmitter() as unknown as WorkerEvents;
  const takePlace = places.ofPool(events);
  const took: string[] = [];
  return {
    took,
    take: (name) => void takePlace().then(() => took.push(name)),
    tell: (event) => void (events as unknown as AnyEvents).emit(event),
  };
}

test('a pool that follows another has the places that are left, then those that the jobs of the first give back', async () => {
  const places = new JobPlaces(2);
  const [first, second] = [poolOf(places), poolOf(places)];
  for (const name of ['a', 'b', 'waits']) first.take(name);
  await setImmediate();
  expect(first.took).toEqual(['a', 'b']);

  first.tell('pool:gracefulShutdown');
  await setImmediate();
  // It finds that its pool has ended.
  expect(first.took).toEqual(['a', 'b', 'waits']);
  first.tell('worker:getJob:empty');

  for (const name of ['c', 'd', 'e', 'f']) second.take(name);
  await setImmediate();
  expect(second.took).toEqual([]);
  for (const [event, took] of [
    ['job:complete', ['c']],
    ['worker:fatalError', ['c', 'd']],
  ] as const) {
    first.tell(event);
    await setImmediate();
    expect(second.took).toEqual(took);
  }
  second.tell('worker:getJob:error');
  await setImmediate();
  expect(second.took).toEqual(['c', 'd', 'e']);
});
