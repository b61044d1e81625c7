import type { SchemaState } from '../operations/images.ts';

/** The four states of this dialect; what did not come to an image is `FAILED` (fandogh.md 2). */
export const FANDOGH_STATES = {
  QUEUED: 'PENDING',
  RUNNING: 'BUILDING',
  SUCCEEDED: 'BUILT',
  FAILED: 'FAILED',
  CANCELLED: 'FAILED',
} as const satisfies Record<SchemaState, string>;

/** As a filter; null: there is no such state. */
export function buildStatesOf(name: string): SchemaState[] | null {
  const wanted = name === 'BUILD_FAILED' ? 'FAILED' : name;
  const states = (Object.keys(FANDOGH_STATES) as SchemaState[]).filter(
    (state) => FANDOGH_STATES[state] === wanted,
  );
  return states.length > 0 ? states : null;
}
