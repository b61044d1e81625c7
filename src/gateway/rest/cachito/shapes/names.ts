import { PACKAGE_MANAGERS } from '../../../../domain/packages/package.ts';

/** Cachito's states (cachito.md 2.1). */
export const CACHITO_STATES = ['complete', 'failed', 'in_progress', 'stale'] as const;
export type CachitoState = (typeof CACHITO_STATES)[number];

/** Enum values of the schema have the names of the domain in capitals: `GIT_SUBMODULE`. */
export function nameOf(value: string): string {
  return value.toLowerCase().replaceAll('_', '-');
}

export function enumValueOf(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

/** What Cachito does not know, a request that somebody cancelled, has failed in its eyes. */
export function stateOf(value: string): CachitoState {
  const state = value.toLowerCase();
  return state === 'cancelled' ? 'failed' : (state as CachitoState);
}

/** The states of the schema that this dialect shows as one of its own. */
export function statesShownAs(state: CachitoState): string[] {
  return state === 'failed' ? ['FAILED', 'CANCELLED'] : [enumValueOf(state)];
}

/** UTC without a zone, always six digits: as the schema's exact times, without their `Z`. */
export function timestampOf(exactTime: string): string {
  return exactTime.replace(/Z$/, '');
}

/** In the fixed order, whatever the order of the request (cachito.md 1.6). */
export function managersOf(values: readonly string[]): string[] {
  const names = new Set(values.map(nameOf));
  return PACKAGE_MANAGERS.filter((manager) => names.has(manager));
}
