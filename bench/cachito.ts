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

/** Cachito's API as build systems use it: submit and poll, read one request with many dependencies, list. */
export async function cachito(context: BenchContext): Promise<Figure[]> {
  const { stage, runs, quick, say } = context;
  const servers = [await registry(context, SMALL), await registry(context, LARGE)];
  const latencies: number[][] = [];
  const rates = { read: [] as number[], list: [] as number[] };
  for (const { ready } of servers) {
    const repository = newRepository(context, registryProject(ready));
    const stack = await startPrefetchStack(stage, { STOWAGE_NPM_REGISTRY: ready.origin });
    const gateway = await startGateway(stage, stack);
    const client = new PollingClient(gateway);
    const id = await client.complete(repository, repository.head);
    const seconds: number[] = [];
    for (let run = 1; run <= 2 * runs; run += 1) {
      const commit = repository.commit({ 'README.md': `commit ${run}\n` });
      seconds.push(await secondsOf(() => client.complete(repository, commit)));
      say(`cached, ${ready.files.length} packages: ${seconds.at(-1)!.toFixed(2)} s`);
    }
    latencies.push(seconds);
    if (ready.files.length === LARGE) {
      for (let more = 2 * runs + 1; more < LISTED; more += 1)
        await client.complete(repository, repository.head);
      const load = await startPart(stage, 'load-client.ts');
      const rate = async (path: string): Promise<number> => {
        // Clients of this API do not log in to read.
        const question: Load = {
          url: gateway.url,
          token: null,
          path,
          body: null,
          seconds: quick ? QUICK_SECONDS : SECONDS,
        };
        const { answers, seconds } = await load.ask<{ answers: number; seconds: number }>(question);
        return answers / seconds;
      };
      for (let run = 0; run < runs; run += 1) {
        rates.read.push(await rate(`/api/v1/requests/${id}`));
        rates.list.push(await rate(`/api/v1/requests?per_page=${LISTED}`));
        say(`reads: ${rates.read.at(-1)!.toFixed(0)}/s, lists: ${rates.list.at(-1)!.toFixed(0)}/s`);
      }
      await load.stop();
    }
    await gateway.service.stop();
    await stack.close();
  }
  for (const server of servers) await server.stop();

  const figure = { yardstick: null } as const;
  const atMost = (limit: number) => ({ of: 'value', comparison: 'at most', limit }) as const;
  const atLeast = (limit: number) => ({ of: 'value', comparison: 'at least', limit }) as const;
  const submitted = 'Cachito, POST to complete, cached';
  return [
    {
      ...figure,
      name: `${submitted}, ${SMALL} packages`,
      measured: median(latencies[0]!),
      unit: 's',
      budget: atMost(1),
    },
    {
      ...figure,
      name: `${submitted}, ${LARGE} packages`,
      measured: median(latencies[1]!),
      unit: 's',
      budget: atMost(2),
    },
    {
      ...figure,
      name: `Cachito, GET by id with ${LARGE} dependencies`,
      measured: median(rates.read),
      unit: '/s',
      budget: atLeast(2500),
    },
    {
      ...figure,
      name: `Cachito, list of ${LISTED}`,
      measured: median(rates.list),
      unit: '/s',
      budget: atLeast(300),
    },
  ];
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
