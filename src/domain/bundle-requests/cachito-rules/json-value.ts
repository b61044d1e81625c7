import { compareText } from '../../code-point-order.ts';

/** What came as JSON and is not known yet to be what it should be. */
export type JsonObject = Record<string, unknown>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isArrayOfStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((element) => typeof element === 'string');
}

/** Names for an error text: Cachito's order was random, ours is the alphabet's (cachito.md 8, number 10). */
export function listed(names: Iterable<string>): string {
  return [...new Set(names)].sort(compareText).join(', ');
}
