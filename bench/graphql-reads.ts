import { type BenchContext, type Figure, median } from './benchmark.ts';
import { startPart } from './child-process.ts';
import { startGateway } from './gateway.ts';
import type { Load } from './load-client.ts';
import { newRepository } from './prefetch.ts';
import { startPrefetchStack } from './prefetch-stack.ts';

const SECONDS = 5;
const QUICK_SECONDS = 2;

const QUERY = `query ($number: Int!) {
  bundleRequest(number: $number) {
    number state stateReason repository commit createdAt updatedAt finishedAt flags
    steps { task packageManager state startedAt finishedAt }
  }
}`;

/** One complete request read by its number by 32 clients of one process. */
export async function graphqlReads(context: BenchContext): Promise<Figure[]> {
  const { stage, quick, runs } = context;
  const repository = newRepository(context, { 'README.md': 'a source\n' });
  const stack = await startPrefetchStack(stage, {});
  const { id } = await stack.prefetch({ repository: `file://${repository.path}`, packageManagers: [] });
  const gateway = await startGateway(stage, stack);
  const client = await startPart(stage, 'load-client.ts');
  const rates: number[] = [];
  for (let run = 0; run < runs; run += 1) {
    const question: Load = {
      url: gateway.url,
      token: gateway.token,
      path: '/graphql',
      body: JSON.stringify({ query: QUERY, variables: { number: id } }),
      seconds: quick ? QUICK_SECONDS : SECONDS,
    };
    const { answers, seconds } = await client.ask<{ answers: number; seconds: number }>(question);
    rates.push(answers / seconds);
  }
  await client.stop();
  await gateway.service.stop();
  await stack.close();
  const name = 'GraphQL, a request by its number, 32 clients';
  return [{ name, measured: median(rates), unit: '/s', yardstick: null, budget: null }];
}
