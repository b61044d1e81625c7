import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { claimArtifacts } from '../../domain/database/sql/artifacts-claim.ts';
import { releaseArtifactClaims } from '../../domain/database/sql/artifacts-release-claims.ts';
import { renewArtifactClaims } from '../../domain/database/sql/artifacts-renew-claims.ts';
import type { SqlExecutor } from '../../domain/database/sql-executor.ts';
import { Batch } from './batch.ts';

const CHUNK = 5000;
/** Renewed so often, a claim is that of a dead process after so long; then a living one takes over. */
const RENEW_MS = 5_000;
const STALE_SECONDS = 20;
const FIRST_POLL_MS = 20;
const LONGEST_POLL_MS = 250;

/** Who fetches what, across processes: an artefact that two workers want at once is fetched by one of them. */
export class ArtifactClaims {
  /** Identity of the claimant. */
  readonly holder = `${hostname()}:${process.pid}:${randomBytes(6).toString('hex')}`;
  readonly #sql: SqlExecutor;
  readonly #held = new Set<string>();
  readonly #taking: Batch<string, boolean>;
  readonly #releasing: Batch<string, void>;
  #renewal: NodeJS.Timeout | null = null;

  constructor(sql: SqlExecutor) {
    this.#sql = sql;
    this.#taking = new Batch(CHUNK, async (keys) => {
      const taken = new Set(await claimArtifacts(sql, keys, this.holder, STALE_SECONDS));
      return keys.map((key) => taken.has(key));
    });
    this.#releasing = new Batch(CHUNK, async (keys) => {
      await releaseArtifactClaims(sql, keys, this.holder);
      return keys.map(() => undefined);
    });
  }

  /** False when another process has the key; wait with {@link pause} and look again. */
  async take(key: string): Promise<boolean> {
    if (!(await this.#taking.load(key))) return false;
    this.#held.add(key);
    this.#renewal ??= setInterval(() => void this.#renew(), RENEW_MS).unref();
    return true;
  }

  /** Gives a key up without a result. A failing database is no reason to fail: the claim grows stale. */
  async release(key: string): Promise<void> {
    if (!this.#held.has(key)) return;
    this.forget(key);
    await this.#releasing.load(key).catch(() => undefined);
  }

  /** The claim was given up together with recording the artefact. */
  forget(key: string): void {
    this.#held.delete(key);
    if (this.#held.size > 0 || !this.#renewal) return;
    clearInterval(this.#renewal);
    this.#renewal = null;
  }

  /** Waits before the look with this number, from 0. */
  async pause(look: number, signal: AbortSignal): Promise<void> {
    const wait = Math.min(LONGEST_POLL_MS, FIRST_POLL_MS * 1.5 ** look);
    await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
  }

  async #renew(): Promise<void> {
    await renewArtifactClaims(this.#sql, [...this.#held], this.holder).catch(() => undefined);
  }
}
