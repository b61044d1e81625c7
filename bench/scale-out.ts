import { availableParallelism } from 'node:os';
import { changeState } from '../src/domain/bundle-requests/change-state.ts';
import { lockRequest } from '../src/domain/database/sql/bundle-request-rows.ts';
import { SYSTEM } from '../src/domain/identity/principal.ts';
import { createProject } from '../src/domain/identity/projects.ts';
import { addToken } from '../src/domain/identity/tokens.ts';
import { type BenchContext, type Figure, median, percentile, secondsOf } from './benchmark.ts';
import { peakMemory, startPart, startService } from './child-process.ts';
import type { DownloadServer } from './download-server.ts';
import { startGateway } from './gateway.ts';
import { npmProject } from './npm-project.ts';
import { newRepository } from './prefetch.ts';
import { type PrefetchStack, startPrefetchStack } from './prefetch-stack.ts';
import type { Arrivals, Subscribe } from './subscribers.ts';

const WAITING = 10_000;
const SUBSCRIBERS = 1_000;
const PACKAGES = 200;
/** Below that workers, PostgreSQL and the bench itself share too few cores for a second worker to help. */
const CORES_FOR_TWO = 4;

/** What more processes bring, and what a long queue and many subscribers cost (issue 7). */
export async function scaleOut(context: BenchContext): Promise<Figure[]> {
  return [
    ...(await twoWorkers(context)),
    ...(await latencyBehindMany(context)),
    ...(await manySubscribers(context)),
  ];
}

/** Cached requests a second, submitted all at once, with one worker and then with two. */
async function twoWorkers(context: BenchContext): Promise<Figure[]> {
  const { stage, runs, quick, say } = context;
  const server = await startPart<DownloadServer>(stage, 'download-server.ts', [PACKAGES, 0]);
  const repository = newRepository(context, npmProject(server.ready));
  const environment = { STOWAGE_NPM_REGISTRY: server.ready.origin };
  const stack = await startPrefetchStack(stage, environment);
  const submission = {
    repository: `file://${repository.path}`,
    ref: repository.head,
    packageManagers: ['npm'],
  };
  await stack.prefetch(submission);
  const count = quick ? 20 : 60;
  const throughput = async (name: string): Promise<number> => {
    const rates: number[] = [];
    for (let run = 0; run < runs; run += 1) {
      const seconds = await secondsOf(async () => {
        await Promise.all(Array.from({ length: count }, () => stack.prefetch(submission)));
      });
      rates.push(count / seconds);
      say(`${name}: ${rates.at(-1)!.toFixed(1)} requests/s`);
    }
    return median(rates);
  };
  const one = await throughput('one worker');
  const { dataDir: STOWAGE_DATA_DIR, databaseUrl: DATABASE_URL } = stack;
  const second = await startService(stage, 'worker', {
    ...{ STOWAGE_DATA_DIR, DATABASE_URL, STOWAGE_GIT_ALLOWED_PROTOCOLS: 'file' },
    ...environment,
  });
  const two = await throughput('two workers');
  await second.stop();
  await stack.close();
  await server.stop();
  const cores = availableParallelism();
  return [
    {
      name: `cached requests, two workers, ${cores} cores`,
      measured: two,
      unit: '/s',
      yardstick: { name: 'one worker', value: one },
      budget: cores < CORES_FOR_TWO ? null : { of: 'ratio', comparison: 'at least', limit: 1.7 },
    },
  ];
}

/** From the submission to the beginning of the first step, of somebody who has nothing else waiting. */
async function latencyBehindMany(context: BenchContext): Promise<Figure[]> {
  const { stage, quick, say } = context;
  const repository = newRepository(context, { 'README.md': 'a source\n' });
  const stack = await startPrefetchStack(stage, {});
  const latency = async (name: string): Promise<number> => {
    const samples = quick ? 40 : 150;
    for (let index = 0; index < samples; index += 1) {
      await stack.prefetch({ repository: `file://${repository.path}`, packageManagers: [] });
    }
    const rows = await stack.database.sql.query<{ milliseconds: number }>(
      `select extract(epoch from started_at - queued_at)::float8 * 1000 as milliseconds
       from bundle_request_steps where task = 'fetch-source' and started_at is not null order by id desc limit $1`,
      [samples - 10],
    );
    const waits = rows.map((row) => row.milliseconds);
    say(`${name}: p50 ${percentile(waits, 50).toFixed(1)} ms, p99 ${percentile(waits, 99).toFixed(1)} ms`);
    return median(waits);
  };
  const idle = await latency('idle');
  await fillQueue(stack);
  const loaded = await latency(`behind ${WAITING} waiting requests`);
  await stack.close();
  return [
    {
      name: `job, enqueue to start, p50, behind ${WAITING} waiting requests of another project`,
      measured: loaded,
      unit: 'ms',
      yardstick: { name: 'idle', value: idle },
      budget: { of: 'ratio', comparison: 'at most', limit: 2 },
    },
  ];
}

/** A project with all its places taken, by requests whose jobs are due tomorrow, and so many that wait behind them. */
async function fillQueue({ database }: PrefetchStack): Promise<void> {
  await createProject(database, SYSTEM, { name: 'busy' });
  await database.sql.query(
    `with project as (select id from projects where name = 'busy'), requests as (
       insert into bundle_requests (project_id, repository, rules, package_managers, state, state_reason)
       select project.id, 'https://git.example/app.git', 'native', '{}', 'in_progress', 'The request was initiated'
       from project, generate_series(1, $1::integer + 32) returning id, project_id
     ), steps as (
       insert into bundle_request_steps (request_id, task, state, queued_at)
       select id, 'fetch-source', 'queued', now() from requests returning id, request_id
     )
     insert into request_queue (request_id, share, places, is_admitted)
     select id, 'project:' || project_id, 32, id <= (select min(id) + 31 from requests) from requests`,
    [WAITING],
  );
  await database.sql.query(
    `select count(graphile_worker.add_job('fetch-source', '{}'::json, job_key := 'step:' || s.id, run_at := now() + interval '1 day'))
     from bundle_request_steps s join request_queue q on q.request_id = s.request_id where q.is_admitted and s.state = 'queued'`,
  );
  await database.sql.query('analyze');
}

/** Half of the subscribers at each of two gateways, all of them watching one request while it changes. */
async function manySubscribers({ stage, quick, say }: BenchContext): Promise<Figure[]> {
  const stack = await startPrefetchStack(stage, {});
  await stack.worker.stop();
  const first = await startGateway(stage, stack);
  const second = await startService(stage, 'gateway', {
    ...{ STOWAGE_DATA_DIR: stack.dataDir, DATABASE_URL: stack.databaseUrl, STOWAGE_PORT: '0' },
  });
  const { secret: token } = await addToken(stack.database, { userName: 'bench', name: 'second' });
  const number = await stack.submit({ repository: 'file:///nowhere', packageManagers: [] });
  const mark = (text: string) =>
    stack.database.transaction(async ({ sql }) => {
      await changeState(sql, await lockRequest(sql, number), 'in_progress', `mark:${text}:`);
    });
  await mark('first');
  const { version } = await stack.database.transaction(({ sql }) => lockRequest(sql, number));
  const document = `subscription ($number: Int!, $after: Int!) {
    bundleRequestEvents(number: $number, afterVersion: $after) { version type data }
  }`;
  // What a gateway takes without subscribers is no cost of theirs.
  await fetch(`${first.url}/readyz`);
  await fetch(`${second.url}/readyz`);
  const before = [first.service, second].map(peakMemory);
  const parts = [];
  for (const url of [first.url, second.url!]) {
    const part = await startPart(stage, 'subscribers.ts');
    const subscribers = SUBSCRIBERS / 2;
    await part.ask<Arrivals>({
      ...{ url, token, document, variables: { number, after: version - 1 }, subscribers },
    } satisfies Subscribe);
    parts.push(part);
  }
  for (let change = 0; change < (quick ? 10 : 50); change += 1) {
    const reached = parts.map((part) => part.next<Arrivals>());
    await mark(`x${change}`);
    await Promise.all(reached);
  }
  const peaks = [first.service, second].map(peakMemory);
  const costs = peaks.map((peak, index) => peak - before[index]!);
  say(`${SUBSCRIBERS} subscribers on two gateways: ${listed(peaks)} MB, without them ${listed(before)} MB`);
  for (const part of parts) await part.stop();
  await second.stop();
  await first.service.stop();
  await stack.close();
  return [
    {
      name: `memory that ${SUBSCRIBERS} subscribers over SSE cost each of two gateways, peak`,
      measured: Math.max(...costs),
      unit: 'MB',
      yardstick: null,
      budget: { of: 'value', comparison: 'at most', limit: 150 },
    },
  ];
}

function listed(megabytes: readonly number[]): string {
  return megabytes.map((one) => one.toFixed(0)).join(' and ');
}
