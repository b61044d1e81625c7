import type { Stage } from './stage.ts';

/** What every benchmark gets. */
export interface BenchContext {
  stage: Stage;
  /** Repetitions of what takes seconds. */
  runs: number;
  /** True: fewer samples of what takes milliseconds, too. */
  quick: boolean;
  /** Of the largest database of million-requests; null: its own. */
  requests: number | null;
  /** What goes on, for who waits. */
  say(text: string): void;
}

export interface Benchmark {
  name: string;
  run(context: BenchContext): Promise<Figure[]>;
}

type Unit = 's' | 'ms' | 'MB' | 'MB/s' | '/s';

/** One line of the table. */
export interface Figure {
  name: string;
  /** A median of several runs, unless the name says otherwise. */
  measured: number;
  unit: Unit;
  /** What it is compared with, measured in the same run and in the same unit. */
  yardstick: { name: string; value: number } | null;
  /** Of DESIGN section 4; null: for information. */
  budget: Budget | null;
}

export interface Budget {
  /** Of the measured value or of its ratio to the yardstick. */
  of: 'value' | 'ratio';
  comparison: 'at most' | 'at least';
  limit: number;
}

export function ratioOf({ measured, yardstick }: Figure): number | null {
  return yardstick === null ? null : measured / yardstick.value;
}

/** null: there is no budget. */
export function isKept(figure: Figure): boolean | null {
  const { budget, measured } = figure;
  if (budget === null) return null;
  const value = budget.of === 'value' ? measured : ratioOf(figure)!;
  return budget.comparison === 'at most' ? value <= budget.limit : value >= budget.limit;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank; the median of an even number of values is the mean of the middle two. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  if (sorted.length === 0) throw new Error('nothing was measured');
  const half = sorted.length / 2;
  if (percent === 50 && Number.isInteger(half)) return (sorted[half - 1]! + sorted[half]!) / 2;
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)]!;
}

export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
