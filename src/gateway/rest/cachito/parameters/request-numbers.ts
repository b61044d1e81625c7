import type { FastifyRequest } from 'fastify';
import { InvalidInputError } from '../../../../domain/errors.ts';
import { REQUEST_STATES, type RequestStateRow } from '../operations/manifests.ts';
import type { CachitoCall } from '../route.ts';
import { integerOf, parameter } from './query.ts';

/** So many requests are asked for at a time. */
const BATCH = 500;
const LARGEST_NUMBER = 2 ** 31 - 1;

/** The requests that `?requests=1,2` names, once each (cachito.md 5.4); all of them exist and may be seen. */
export async function requestsNamedBy(
  call: CachitoCall,
  request: FastifyRequest,
): Promise<RequestStateRow[]> {
  const numbers = numbersOf(parameter(request, 'requests') ?? '');
  const possible = numbers.filter((number) => number > 0 && number <= LARGEST_NUMBER).map(Number);
  const rows: RequestStateRow[] = [];
  for (const batch of batchesOf(possible, BATCH)) {
    rows.push(...(await call.run(REQUEST_STATES, { numbers: batch })).bundleRequestsByNumber);
  }
  const found = new Set(rows.map(({ number }) => number));
  const missing = numbers.filter((number) => !found.has(Number(number))).sort(ascending);
  if (missing.length > 0) throw new InvalidInputError(`Cannot find request(s) ${missing.join(', ')}.`);
  return rows;
}

export function* batchesOf<T>(list: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < list.length; at += size) yield list.slice(at, at + size);
}

/** Of any size: those that no request can have are told as they are. */
function numbersOf(text: string): bigint[] {
  const numbers = new Set<bigint>();
  for (const part of text.split(',')) {
    const item = part.trim();
    if (item === '') continue;
    if (integerOf(item) === null) throw new InvalidInputError(`${item} is not an integer.`);
    numbers.add(BigInt(item));
  }
  return [...numbers];
}

function ascending(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
