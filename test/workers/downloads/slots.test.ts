import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Slots } from '../../../src/workers/downloads/slots.ts';

const never = new AbortController().signal;
const owner = {};

/** Work that ends when it is told to. */
function gates() {
  const started: string[] = [];
  const open = new Map<string, () => void>();
  const work = (name: string) => () => {
    started.push(name);
    return new Promise<string>((resolve) => open.set(name, () => resolve(name)));
  };
  const end = async (name: string): Promise<void> => {
    open.get(name)!();
    await turn();
  };
  return { started, work, end };
}

test('keeps the global and the per-host limit', async () => {
  const slots = new Slots(3, 2);
  const { started, work, end } = gates();
  for (const name of ['a1', 'a2', 'a3', 'b1', 'b2']) {
    void slots.run({ host: name[0]!, priority: 1, owner }, never, work(name));
  }
  expect(started).toEqual(['a1', 'a2', 'b1']);
  expect([slots.running, slots.waiting]).toEqual([3, 2]);
  await end('b1');
  expect(started.slice(3)).toEqual(['b2']);
  await end('b2');
  expect(started.slice(4)).toEqual([]);
  await end('a1');
  expect(started.slice(4)).toEqual(['a3']);
  await end('a2');
  await end('a3');
  expect([slots.running, slots.waiting]).toEqual([0, 0]);
});

test('lower numbers go first, and owners take turns', async () => {
  const slots = new Slots(1, 1);
  const { started, work, end } = gates();
  const owners = [{}, {}];
  const queue = (name: string, priority: number, index = 0) =>
    void slots.run({ host: 'h', priority, owner: owners[index]! }, never, work(name));
  queue('first', 2);
  queue('x1', 2);
  queue('x2', 2);
  queue('y1', 2, 1);
  queue('y2', 2, 1);
  queue('retry', 1);
  queue('document', 0);
  for (let index = 0; index < 7; index += 1) await end(started[index]!);
  expect(started).toEqual(['first', 'document', 'retry', 'x1', 'y1', 'x2', 'y2']);
});

test('an abort while waiting gives the place to the next', async () => {
  const slots = new Slots(1, 1);
  const { started, work, end } = gates();
  const abort = new AbortController();
  void slots.run({ host: 'h', priority: 1, owner }, never, work('one'));
  const waiting = slots.run({ host: 'h', priority: 1, owner }, abort.signal, work('two'));
  void slots.run({ host: 'h', priority: 1, owner }, never, work('three'));
  abort.abort(new Error('cancelled'));
  await expect(waiting).rejects.toThrow('cancelled');
  await end('one');
  expect(started).toEqual(['one', 'three']);
  await end('three');
  expect([slots.running, slots.waiting]).toEqual([0, 0]);
  await expect(slots.run({ host: 'h', priority: 1, owner }, abort.signal, work('x'))).rejects.toThrow(
    'cancelled',
  );
});

test('failing work frees its place', async () => {
  const slots = new Slots(1, 1);
  const request = { host: 'h', priority: 1, owner };
  await expect(slots.run(request, never, () => Promise.reject(new Error('broken')))).rejects.toThrow(
    'broken',
  );
  expect(await slots.run(request, never, async () => 'fine')).toBe('fine');
});

test('a host that asked for a pause is left alone, others are not', async () => {
  const slots = new Slots(2, 2);
  const { started, work, end } = gates();
  slots.hold('a', 20);
  slots.hold('a', 1);
  const held = slots.run({ host: 'a', priority: 0, owner }, never, async () => 'after the pause');
  void slots.run({ host: 'b', priority: 1, owner }, never, work('b'));
  expect(started).toEqual(['b']);
  await end('b');
  expect(slots.waiting).toBe(1);
  expect(await held).toBe('after the pause');
});
