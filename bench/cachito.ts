import { setTimeout as sleep } from 'node:timers/promises';
import type { TestRepository } from '../test/support/git-repository.ts';
import { type BenchContext, type Figure, median, secondsOf } from './benchmark.ts';
import { startPart } from './child-process.ts';
import type { DownloadServer } from './download-server.ts';
import { type Gateway, startGateway } from './gateway.ts';
import type { Load } from './load-client.ts';
import { npmProject } from './npm-project.ts';
import { newRepository } from './prefetch.ts';
import { startPrefetchStack } from './prefetch-stack.ts';

const SMALL = 20;
const LARGE = 1000;
const LISTED = 100;
const SECONDS = 5;
const QUICK_SECONDS = 2;
/** Faster than any client: what is measured is us, not the pauses. */
const POLL_MS = 50;

interface Measured {
  /** From POST to `complete`, of each request. */
  seconds: number[];
  reads: number[];
  lists: number[];
}

/** Cachito's API as build systems use it: submit and poll, read one request with many dependencies, list. */
export async function cachito(context: BenchContext): Promise<Figure[]> {
  const small = await measure(context, SMALL, 1);
  const large = await measure(context, LARGE, LISTED);
  const atMost = (limit: number) => ({ of: 'value', comparison: 'at most', limit }) as const;
  const atLeast = (limit: number) => ({ of: 'value', comparison: 'at least', limit }) as const;
  const submitted = 'Cachito, POST to complete, cached';
  const rows: [string, number[], Figure['unit'], Figure['budget']][] = [
    [`${submitted}, ${SMALL} packages`, small.seconds, 's', atMost(1)],
    [`${submitted}, ${LARGE} packages`, large.seconds, 's', atMost(2)],
    [`Cachito, GET by id with ${SMALL} dependencies`, small.reads, '/s', atLeast(2500)],
    [`Cachito, GET by id with ${LARGE} dependencies`, large.reads, '/s', atLeast(500)],
    [`Cachito, list of ${LISTED}`, large.lists, '/s', atLeast(300)],
  ];
  return rows.map(([name, values, unit, budget]) => ({
    name,
    measured: median(values),
    unit,
    yardstick: null,
    budget,
  }));
}

/** Commit after commit of a project with so many packages, all in the store; then reads of what came of it, of so many. */
async function measure(context: BenchContext, packages: number, listed: number): Promise<Measured> {
  const { stage, runs, say } = context;
  const server = await registry(context, packages);
  const repository = newRepository(context, registryProject(server.ready));
  const stack = await startPrefetchStack(stage, { STOWAGE_NPM_REGISTRY: server.ready.origin });
  const gateway = await startGateway(stage, stack);
  const client = new PollingClient(gateway);
  const measured: Measured = { seconds: [], reads: [], lists: [] };
  const id = await client.complete(repository, repository.head);
  for (let run = 1; run <= 2 * runs; run += 1) {
    const commit = repository.commit({ 'README.md': `commit ${run}\n` });
    measured.seconds.push(await secondsOf(() => client.complete(repository, commit)));
    say(`cached, ${packages} packages: ${measured.seconds.at(-1)!.toFixed(2)} s`);
  }
  for (let more = 2 * runs + 1; more < listed; more += 1) {
    await client.complete(repository, repository.head);
  }
  await measureReads(context, gateway, id, measured);
  await gateway.service.stop();
  await stack.close();
  await server.stop();
  return measured;
}

async function measureReads(
  { stage, runs, quick, say }: BenchContext,
  gateway: Gateway,
  id: number,
  { reads, lists }: Measured,
): Promise<void> {
  const client = await startPart(stage, 'load-client.ts');
  const rate = async (path: string): Promise<number> => {
    const duration = quick ? QUICK_SECONDS : SECONDS;
    // Clients of this API do not log in to read.
    const question: Load = { url: gateway.url, token: null, path, body: null, seconds: duration };
    const { answers, seconds } = await client.ask<{ answers: number; seconds: number }>(question);
    return answers / seconds;
  };
  // The gateway is warm, as one that polls have reached for a while.
  await rate(`/api/v1/requests/${id}`);
  for (let run = 0; run < runs; run += 1) {
    reads.push(await rate(`/api/v1/requests/${id}`));
    lists.push(await rate(`/api/v1/requests?per_page=${LISTED}`));
    say(`reads: ${reads.at(-1)!.toFixed(0)}/s, lists: ${lists.at(-1)!.toFixed(0)}/s`);
  }
  await client.stop();
}

async function registry({ stage }: BenchContext, packages: number) {
  return await startPart<DownloadServer>(stage, 'download-server.ts', [packages, 0]);
}

/** A lock file without URLs: each package is one of the registry, wherever that is. */
function registryProject(server: DownloadServer): Record<string, string> {
  const { 'package.json': manifest, 'package-lock.json': lock } = npmProject(server);
  const parsed = JSON.parse(lock!) as { packages: Record<string, { resolved?: string }> };
  for (const entry of Object.values(parsed.packages)) delete entry.resolved;
  return { 'package.json': manifest!, 'package-lock.json': JSON.stringify(parsed, null, 2) };
}

class PollingClient {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Submits a commit and asks until it is complete. */
  async complete(repository: TestRepository, ref: string): Promise<number> {
    const body = { repo: `file://${repository.path}`, ref, pkg_managers: ['npm'] };
    const { id } = await this.#ask('', { method: 'POST', body: JSON.stringify(body) });
    for (;;) {
      const { state, state_reason: reason } = await this.#ask(`/${id}`);
      if (state === 'complete') return id;
      if (state !== 'in_progress') throw new Error(`request ${id} is ${state}: ${reason}`);
      await sleep(POLL_MS);
    }
  }

  async #ask(path: string, init: RequestInit = {}) {
    const { url, token } = this.#gateway;
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const response = await fetch(`${url}/api/v1/requests${path}`, { ...init, headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status}: ${text}`);
    return JSON.parse(text) as { id: number; state: string; state_reason: string };
  }
}
