import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { findGatewayUrl } from '../../domain/database/sql/gateway-addresses.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import { BuildFailure } from '../../domain/images/build-failure.ts';

export interface GatewayWait {
  signal: AbortSignal;
  /** Called once, when there is none yet. */
  onWait(): void;
  /** How long one may take to come up. */
  waitMs?: number;
}

/**
 * Where a gateway that this machine can reach listens. When everything starts again at once, a worker may be there before
 * its gateway. Throws BuildFailure `builder-unavailable` when none comes.
 */
export async function gatewayUrl(
  sql: SqlExecutor,
  { signal, onWait, waitMs = 60_000 }: GatewayWait,
): Promise<string> {
  const deadline = performance.now() + waitMs;
  for (let look = 0; ; look += 1) {
    const url = await findGatewayUrl(sql, hostname());
    if (url !== null) return url;
    if (performance.now() >= deadline) {
      throw new BuildFailure('builder-unavailable', 'There is no registry to push to: no gateway runs', {
        hint: 'Start a gateway, or set STOWAGE_REGISTRY_URL on the workers.',
        retryable: true,
      });
    }
    if (look === 0) onWait();
    await pause(LOOK_MS, undefined, { signal }).catch(() => undefined);
    signal.throwIfAborted();
  }
}

const LOOK_MS = 250;
