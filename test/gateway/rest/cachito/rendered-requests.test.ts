import { beforeEach, expect, test } from 'vitest';
import type {
  RequestSummary,
  RequestVersion,
} from '../../../../src/gateway/rest/cachito/operations/requests.ts';
import { RenderedRequests } from '../../../../src/gateway/rest/cachito/rendered-requests.ts';
import type { CachitoCall } from '../../../../src/gateway/rest/cachito/route.ts';

/** Requests by number: the version that is read now, or nothing if the request has vanished. */
let stored: Map<number, number>;
let asked: number[][];
let reason: string;

beforeEach(() => {
  stored = new Map([
    [1, 5],
    [2, 7],
  ]);
  asked = [];
  reason = '';
});

const callAt = (baseUrl: string): CachitoCall => {
  const run = async (_operation: unknown, { numbers }: { numbers: number[] }): Promise<unknown> => {
    asked.push(numbers);
    return { bundleRequestsByNumber: numbers.filter((number) => stored.has(number)).map(summaryOf) };
  };
  return { baseUrl, run } as unknown as CachitoCall;
};
const summaryOf = (number: number): RequestSummary => ({
  number,
  version: stored.get(number)!,
  state: 'COMPLETE',
  stateReason: reason,
  repository: null,
  requestedRef: null,
  commit: null,
  packageManagers: [],
  flags: [],
  createdAtExact: '2021-07-07T18:02:35.149979Z',
  updatedAtExact: '2021-07-07T18:02:35.149979Z',
  user: null,
  submittedBy: null,
  packagesCount: null,
  dependenciesCount: null,
  environment: [],
  error: null,
});
const rows = (...list: [number, number][]): RequestVersion[] =>
  list.map(([number, version]) => ({ number, version }));
const here = callAt('http://a.example');
const numbersOf = (items: Buffer[]): number[] => items.map((item) => JSON.parse(item.toString()).id);

test('only versions that were not rendered yet are asked for', async () => {
  const rendered = new RenderedRequests();
  await rendered.of(here, 'short', rows([1, 5]));
  expect(numbersOf(await rendered.of(here, 'short', rows([2, 7], [1, 5])))).toEqual([2, 1]);
  expect(numbersOf(await rendered.of(here, 'short', rows([1, 5], [2, 7])))).toEqual([1, 2]);
  stored.set(1, 6);
  await rendered.of(here, 'short', rows([1, 6]));
  expect(asked).toEqual([[1], [2], [1]]);
});

test('a request that went on meanwhile is kept under the version that was read', async () => {
  const rendered = new RenderedRequests();
  stored.set(1, 6);
  await rendered.of(here, 'short', rows([1, 5]));
  await rendered.of(here, 'short', rows([1, 6]));
  expect(asked).toEqual([[1]]);
});

test('one that has vanished is left out', async () => {
  stored.delete(1);
  expect(numbersOf(await new RenderedRequests().of(here, 'short', rows([1, 5], [2, 7])))).toEqual([2]);
});

test('links of one address are not for another', async () => {
  const rendered = new RenderedRequests();
  await rendered.of(here, 'short', rows([1, 5]));
  await rendered.of(callAt('http://b.example'), 'short', rows([1, 5]));
  expect(asked).toEqual([[1], [1]]);
});

test('the longest unused goes first, and what is large is not kept', async () => {
  const rendered = new RenderedRequests(10_000);
  for (let number = 1; number <= 20; number++) stored.set(number, 1);
  await rendered.of(here, 'short', rows([1, 1]));
  for (let number = 2; number <= 20; number++) {
    await rendered.of(here, 'short', rows([number, 1]));
    await rendered.of(here, 'short', rows([1, 1]));
  }
  expect(asked.filter(([number]) => number === 1).length).toBe(1);
  await rendered.of(here, 'short', rows([2, 1]));
  expect(asked.filter(([number]) => number === 2).length).toBe(2);

  reason = 'x'.repeat(1_000);
  stored.set(21, 1);
  await rendered.of(here, 'short', rows([21, 1]));
  await rendered.of(here, 'short', rows([21, 1]));
  expect(asked.filter(([number]) => number === 21).length).toBe(2);
});
