import type {
  RequestEventData,
  StepCounters,
  StepState,
  StepTask,
} from '../../domain/bundle-requests/bundle-request.ts';
import { PACKAGE_MANAGERS, type PackageManager, type PackageOptions } from '../../domain/packages/package.ts';
import type { RequestEvent } from '../client/bundle-requests.ts';
import { counted, formatBytes, formatCount, formatSeconds } from './quantities.ts';

/** One step as the terminal shows it. */
export interface StepView {
  label: string;
  state: StepState;
  counters: StepCounters;
  startedAt: number | null;
  finishedAt: number | null;
  /** Times and bytes of the last seconds, for the rate. */
  samples: { at: number; bytes: number }[];
}

const RATE_WINDOW_MS = 3_000;
const LABELS: Record<StepTask, string> = {
  'fetch-source': 'source',
  'resolve-packages': 'packages',
  'assemble-bundle': 'bundle',
};
const ENDED: readonly StepState[] = ['succeeded', 'failed', 'cancelled'];

/** What is known of a request from its events alone; the same for the live display and for plain lines. */
export class PrefetchProgress {
  readonly #steps = new Map<number, StepView>();
  readonly #now: () => number;
  #commit: string | null = null;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get steps(): StepView[] {
    return [...this.#steps.values()];
  }

  /** The commit that a branch or tag turned out to be. */
  get commit(): string | null {
    return this.#commit;
  }

  /** Returns the step that changed its state, if one did. */
  apply(event: RequestEvent): StepView | null {
    switch (event.type) {
      case 'source':
        this.#commit = (event.data as RequestEventData['source']).commit;
        return null;
      case 'step':
        return this.#changeState(event.data as RequestEventData['step']);
      case 'progress':
        this.#count(event.data as RequestEventData['progress']);
        return null;
      default:
        return null;
    }
  }

  /** `npm  running  120/356 packages, 98/356 files, 12.3 MB at 5.1 MB/s  8.3 s` */
  line(step: StepView): string {
    const parts = [step.label, stateWord(step.state), this.#counters(step), this.#elapsed(step)];
    return parts.filter((part) => part !== '').join('  ');
  }

  #changeState(data: RequestEventData['step']): StepView | null {
    const step = this.#step(data.stepId, data.task, data.packageManager);
    const before = step.state;
    step.state = data.state;
    if (data.state === 'running' && before !== 'running') {
      step.startedAt = this.#now();
      step.counters = {};
      step.samples = [];
    }
    if (ENDED.includes(data.state)) step.finishedAt = this.#now();
    return before === data.state ? null : step;
  }

  #count({ stepId, task, packageManager, ...counters }: RequestEventData['progress']): void {
    const step = this.#step(stepId, task, packageManager);
    step.counters = counters;
    const now = this.#now();
    step.samples = step.samples.filter((sample) => now - sample.at <= RATE_WINDOW_MS);
    step.samples.push({ at: now, bytes: counters.bytes ?? 0 });
  }

  #step(id: number, task: StepTask, manager: PackageManager | null): StepView {
    let step = this.#steps.get(id);
    if (!step) {
      const label = manager ?? LABELS[task];
      step = { label, state: 'waiting', counters: {}, startedAt: null, finishedAt: null, samples: [] };
      this.#steps.set(id, step);
    }
    return step;
  }

  #counters(step: StepView): string {
    const { packages = 0, files = 0, bytes = 0, cachedFiles = 0, ...expected } = step.counters;
    const parts: string[] = [];
    if (packages > 0) parts.push(ofExpected(packages, expected.expectedPackages, 'package'));
    if (files > 0) parts.push(ofExpected(files, expected.expectedFiles, 'file'));
    if (cachedFiles > 0) parts.push(`${formatCount(cachedFiles)} from the store`);
    if (bytes > 0) parts.push(formatBytes(bytes) + this.#rate(step));
    return parts.join(', ');
  }

  #rate(step: StepView): string {
    const first = step.samples[0];
    const last = step.samples.at(-1);
    if (step.state !== 'running' || !first || !last || last.at - first.at < 100) return '';
    const perSecond = ((last.bytes - first.bytes) / (last.at - first.at)) * 1000;
    return perSecond > 0 ? ` at ${formatBytes(Math.round(perSecond))}/s` : '';
  }

  #elapsed(step: StepView): string {
    if (step.startedAt === null) return '';
    return formatSeconds((step.finishedAt ?? this.#now()) - step.startedAt);
  }
}

/** `npm at . (package-lock.json)`, one line for each package manager, before anything is fetched. */
export function planLines(plan: RequestEventData['plan']): string[] {
  return PACKAGE_MANAGERS.flatMap((manager) => {
    const packages = plan.packages[manager];
    const evidence = plan.evidence[manager] ?? [];
    return (packages ?? []).map((options) => {
      const files = evidence.filter((file) => isIn(file, options, packages ?? []));
      return `${manager} at ${options.path}${files.length > 0 ? ` (${files.join(', ')})` : ''}`;
    });
  });
}

/** A file speaks for the deepest package above it. */
function isIn(file: string, options: PackageOptions, all: readonly PackageOptions[]): boolean {
  const owners = all.filter(({ path }) => path === '.' || file === path || file.startsWith(`${path}/`));
  const depth = ({ path }: PackageOptions): number => (path === '.' ? 0 : path.split('/').length);
  const deepest = Math.max(...owners.map(depth));
  return owners.some((owner) => owner === options && depth(owner) === deepest);
}

function stateWord(state: StepState): string {
  return state === 'succeeded' ? 'done' : state;
}

function ofExpected(count: number, expected: number | undefined, noun: string): string {
  if (expected === undefined || expected <= count) return counted(count, noun);
  return `${formatCount(count)}/${formatCount(expected)} ${noun}s`;
}
