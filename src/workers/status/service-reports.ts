import { isReportAsked, REPORT_ASKED, recordReport } from '../../domain/database/sql/worker-reports.ts';
import type { ServiceStatus } from '../../domain/status/system-status.ts';
import { Dispatchers } from '../downloads/dispatchers.ts';
import type { WorkerContext } from '../worker-context.ts';
import { probeGit, probeUpstream } from './probes.ts';
import { neededUpstreams } from './upstreams.ts';

/** Upstreams may share a host; one that hangs does not keep the others. */
const PROBES_PER_HOST = 8;

/**
 * Tells who asks how git and the upstreams look from here: only workers know their configuration and their network.
 * Nothing is probed while nobody asks.
 */
export class ServiceReports {
  readonly #context: WorkerContext;
  readonly #stop = new AbortController();
  readonly #dispatchers = new Dispatchers({ connectionsPerHost: PROBES_PER_HOST });
  #following: Promise<void> = Promise.resolve();

  constructor(context: WorkerContext) {
    this.#context = context;
  }

  start(): void {
    this.#following = this.#follow();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#following;
    await this.#dispatchers.close();
  }

  async #follow(): Promise<void> {
    const { hub, logger } = this.#context;
    const answer = async (): Promise<never[]> => {
      await this.#answer().catch((error: unknown) => {
        if (!this.#stop.signal.aborted) logger.warn({ err: error }, 'the report on services failed');
      });
      return [];
    };
    for await (const _ of hub.follow(REPORT_ASKED, this.#stop.signal, answer)) {
      // Nothing is yielded: answering is all there is to do.
    }
  }

  async #answer(): Promise<void> {
    const { database, workerId } = this.#context;
    if (!(await isReportAsked(database.sql, workerId))) return;
    await recordReport(database.sql, workerId, await this.#probe());
  }

  async #probe(): Promise<ServiceStatus[]> {
    const { settings } = this.#context;
    const { signal } = this.#stop;
    const upstreams = neededUpstreams(settings).map((name) =>
      probeUpstream(name, settings, this.#dispatchers, signal),
    );
    const services = await Promise.all([probeGit(signal), ...upstreams]);
    return services.filter((service) => service !== null);
  }
}
