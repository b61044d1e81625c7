import type { BuildState } from '../../../../domain/images/image-build.ts';

/** The four states of this dialect; what did not come to an image is `FAILED` (fandogh.md 2). */
export const FANDOGH_STATES = {
  queued: 'PENDING',
  running: 'BUILDING',
  succeeded: 'BUILT',
  failed: 'FAILED',
  cancelled: 'FAILED',
} as const satisfies Record<BuildState, string>;

/** As a filter; null: there is no such state. */
export function buildStatesOf(name: string): BuildState[] | null {
  const wanted = name === 'BUILD_FAILED' ? 'FAILED' : name;
  const states = (Object.keys(FANDOGH_STATES) as BuildState[]).filter(
    (state) => FANDOGH_STATES[state] === wanted,
  );
  return states.length > 0 ? states : null;
}
