import type { DockerfilePlan } from './dockerfile-plan.ts';

const MOST_ERROR_LINES = 20;

/** Follows what buildah says, to know at which line of the Dockerfile it is and why it gave up. */
export class StepTracker {
  readonly #plan: DockerfilePlan;
  #step: { line: number; text: string } | null = null;
  /** The last lines, each in the place of the one that came so many before. */
  readonly #recent: string[] = [];
  #count = 0;

  constructor(plan: DockerfilePlan) {
    this.#plan = plan;
  }

  /** null: it has not begun. */
  get step(): { line: number; text: string } | null {
    return this.#step;
  }

  take(line: string): void {
    if (line.includes('STEP ')) this.#takeStep(line);
    this.#recent[this.#count % MOST_ERROR_LINES] = line;
    this.#count += 1;
  }

  #takeStep(line: string): void {
    // Not at the start of the line when the step before has not ended its own.
    const [, stage, number, text] = /(?:\[(\d+)\/\d+\] )?STEP (\d+)\/\d+: (.*)$/.exec(line) ?? [];
    if (number === undefined) return;
    const lines = this.#plan.stages[Number(stage ?? this.#plan.stages.length) - 1]?.lines;
    const at = lines?.[Number(number) - 1];
    if (at !== undefined) this.#step = { line: at, text: text! };
  }

  /** Oldest first. */
  get #lastLines(): string[] {
    const oldest = this.#count % MOST_ERROR_LINES;
    return [...this.#recent.slice(oldest), ...this.#recent.slice(0, oldest)];
  }

  /** The last thing that looks like an error of buildah itself. */
  get error(): string {
    const errors = this.#lastLines.filter((line) => /^Error: |level=(?:error|fatal)/.test(line));
    return (errors.at(-1) ?? this.#lastLines.at(-1) ?? '').replace(/^Error: /, '');
  }

  get exitStatus(): number | null {
    const found = this.#lastLines
      .map((line) => /exit status (\d+)|exited with (?:code|status) (\d+)/.exec(line))
      .findLast((match) => match !== null);
    return found ? Number(found[1] ?? found[2]) : null;
  }

  get wasKilled(): boolean {
    return (
      this.exitStatus === 137 || this.#lastLines.some((line) => /exited on killed|signal: killed/.test(line))
    );
  }

  get saidDiskFull(): boolean {
    return this.#lastLines.some((line) => /no space left on device|disk quota exceeded/i.test(line));
  }
}
