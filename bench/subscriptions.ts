import { setTimeout as pause } from 'node:timers/promises';
import { changeState } from '../src/domain/bundle-requests/change-state.ts';
import { lockRequest } from '../src/domain/database/sql/bundle-request-rows.ts';
import { LogWriter } from '../src/domain/logs/log-writer.ts';
import { type BenchContext, type Figure, percentile } from './benchmark.ts';
import { startPart } from './child-process.ts';
import { startGateway } from './gateway.ts';
import { type PrefetchStack, startPrefetchStack } from './prefetch-stack.ts';
import type { Arrivals, Subscribe } from './subscribers.ts';

const MANY = 1000;

/** Something that a subscriber sees, made with a mark in it. */
interface Source {
  name: string;
  document: string;
  variables: object;
  make(mark: string): Promise<void>;
}

/**
 * From the change to the subscriber over SSE, through PostgreSQL and a gateway process; the writer is this process, the
 * subscribers are another. All of them watch the same request. The clocks are one.
 */
export async function subscriptions(context: BenchContext): Promise<Figure[]> {
  const { stage, quick, say } = context;
  const stack = await startPrefetchStack(stage, {});
  await stack.worker.stop();
  const gateway = await startGateway(stage, stack);
  const figures: Figure[] = [];
  for (const subscribers of [1, MANY]) {
    const changes = subscribers === 1 ? (quick ? 30 : 200) : quick ? 5 : 30;
    for (const source of [await stateChanges(stack), await logLines(stack)]) {
      const part = await startPart(stage, 'subscribers.ts');
      const { document, variables } = source;
      const question: Subscribe = { ...gateway, document, variables, subscribers };
      await part.ask<Arrivals>(question);
      const delays: number[] = [];
      for (let change = 0; change < changes; change += 1) {
        const reached = part.next<Arrivals>();
        const made = performance.timeOrigin + performance.now();
        await source.make(String(change));
        delays.push(...(await reached).at.map((at) => at - made));
        await pause(20 + ((change * 37) % 200));
      }
      await part.stop();
      figures.push(...figuresOf(source.name, subscribers, delays));
      say(`${source.name}, ${subscribers} subscribers: p50 ${percentile(delays, 50).toFixed(1)} ms`);
    }
  }
  await gateway.service.stop();
  await stack.close();
  return figures;
}

function figuresOf(name: string, subscribers: number, delays: readonly number[]): Figure[] {
  const figure = { unit: 'ms', yardstick: null } as const;
  const title = `${name} to ${subscribers === 1 ? 'one subscriber' : `${subscribers} subscribers`}`;
  const atMost = (limit: number) => ({ of: 'value', comparison: 'at most', limit }) as const;
  return [
    {
      ...figure,
      name: `${title}, p50`,
      measured: percentile(delays, 50),
      budget: subscribers === 1 ? atMost(50) : null,
    },
    {
      ...figure,
      name: `${title}, p99`,
      measured: percentile(delays, 99),
      budget: subscribers === 1 ? null : atMost(500),
    },
  ];
}

async function newRequest(stack: PrefetchStack): Promise<number> {
  return await stack.submit({ repository: 'file:///nowhere', packageManagers: [] });
}

async function stateChanges(stack: PrefetchStack): Promise<Source> {
  const number = await newRequest(stack);
  const make = (mark: string) =>
    stack.database.transaction(async ({ sql }) => {
      await changeState(sql, await lockRequest(sql, number), 'in_progress', `mark:${mark}:`);
    });
  await make('first');
  const { version } = await stack.database.transaction(({ sql }) => lockRequest(sql, number));
  return {
    name: 'state change',
    document: `subscription ($number: Int!, $after: Int!) {
      bundleRequestEvents(number: $number, afterVersion: $after) { version type data }
    }`,
    variables: { number, after: version - 1 },
    make,
  };
}

async function logLines(stack: PrefetchStack): Promise<Source> {
  const number = await newRequest(stack);
  const log = new LogWriter(stack.database, { subjectType: 'bundle-request', subjectId: number }, 'bench');
  log.info('mark:first:');
  await log.flush();
  return {
    name: 'log line',
    document: `subscription ($number: Int!) { bundleRequestLog(number: $number) { number level text } }`,
    variables: { number },
    make: async (mark) => log.info(`mark:${mark}:`),
  };
}
