import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type BenchContext, type Benchmark, type Figure, isKept, ratioOf } from './benchmark.ts';
import { bundleDownload } from './bundle-download.ts';
import { cachito } from './cachito.ts';
import { cachitoMemory } from './cachito-memory.ts';
import { downloads } from './downloads.ts';
import { graphqlReads } from './graphql-reads.ts';
import { imageBuilds } from './image-builds.ts';
import { memory } from './memory.ts';
import { millionRequests } from './million-requests.ts';
import { prefetchCached } from './prefetch-cached.ts';
import { prefetchGomod } from './prefetch-gomod.ts';
import { prefetchNpm } from './prefetch-npm.ts';
import { prefetchPip } from './prefetch-pip.ts';
import { queueLatency } from './queue-latency.ts';
import { registry } from './registry.ts';
import { scaleOut } from './scale-out.ts';
import { Stage } from './stage.ts';
import { subscriptions } from './subscriptions.ts';
import { tableOf } from './table.ts';

const BENCHMARKS: readonly Benchmark[] = [
  { name: 'prefetch-npm', run: prefetchNpm },
  { name: 'prefetch-pip', run: prefetchPip },
  { name: 'prefetch-gomod', run: prefetchGomod },
  { name: 'prefetch-cached', run: prefetchCached },
  { name: 'downloads', run: downloads },
  { name: 'bundle-download', run: bundleDownload },
  { name: 'queue-latency', run: queueLatency },
  { name: 'scale-out', run: scaleOut },
  { name: 'subscriptions', run: subscriptions },
  { name: 'million-requests', run: millionRequests },
  { name: 'memory', run: memory },
  { name: 'graphql-reads', run: graphqlReads },
  { name: 'cachito', run: cachito },
  { name: 'cachito-memory', run: cachitoMemory },
  { name: 'registry', run: registry },
  { name: 'image-builds', run: imageBuilds },
];

const RUNS = 5;
const QUICK_RUNS = 2;

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      requests: { type: 'string' },
    },
  });
  const chosen = BENCHMARKS.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const unknown = positionals.find((name) => !BENCHMARKS.some((one) => one.name === name));
  if (unknown !== undefined) {
    throw new Error(`"${unknown}" is not one of ${BENCHMARKS.map(({ name }) => name).join(', ')}`);
  }
  const stage = await Stage.open();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => stage.close().then(() => process.exit(130)));
  }
  try {
    const say = (text: string) => process.stderr.write(`${text}\n`);
    const runs = values.quick ? QUICK_RUNS : RUNS;
    const requests = values.requests === undefined ? null : Number(values.requests);
    const figures = await runAll(chosen, { stage, runs, quick: values.quick, requests, say });
    process.stdout.write(tableOf(figures));
    if (values.json !== undefined) await writeFile(values.json, jsonOf(figures));
  } finally {
    await stage.close();
  }
}

async function runAll(benchmarks: readonly Benchmark[], context: BenchContext): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, run } of benchmarks) {
    context.say(`--- ${name}`);
    figures.push(...(await run(context)));
  }
  return figures;
}

function jsonOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => ({ ...figure, ratio: ratioOf(figure), kept: isKept(figure) }));
  return `${JSON.stringify({ at: new Date().toISOString(), node: process.version, figures: rows }, null, 2)}\n`;
}

await main();
