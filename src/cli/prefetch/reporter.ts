import type { RequestEventData } from '../../domain/bundle-requests/bundle-request.ts';
import { printableText } from '../../domain/printable-text.ts';
import type { RequestEvent } from '../client/bundle-requests.ts';
import type { LogLine } from '../client/subject-log.ts';
import { type PrintableError, printProblem } from '../print-error.ts';
import { PrefetchProgress, planLines } from './progress.ts';
import { formatBytes, formatSeconds } from './quantities.ts';

/** Who tells the user what `stowage prefetch` does while it does it. */
export interface PrefetchReporter {
  /** What it does now, until the next call: shown with the time that it takes. */
  phase(text: string): void;
  /** How far a download is. */
  transferred(bytes: number, total: number | null): void;
  note(text: string): void;
  warn(text: string): void;
  submitted(number: number, server: string | null): void;
  event(event: RequestEvent): void;
  log(line: LogLine): void;
  result(result: object, summary: readonly string[]): void;
  error(error: PrintableError): void;
  stop(): void;
}

export interface Terminal {
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
}

export function prefetchReporter(options: { json: boolean }, terminal: Terminal = process): PrefetchReporter {
  if (options.json) return new JsonReporter(terminal);
  return terminal.stderr.isTTY ? new LiveReporter(terminal) : new PlainReporter(terminal);
}

/** For people: progress on stderr, the result on stdout. */
abstract class TextReporter implements PrefetchReporter {
  protected readonly terminal: Terminal;
  protected readonly progress = new PrefetchProgress();
  #phase = '';
  #phaseStart = 0;
  #transfer: { bytes: number; total: number | null } | null = null;

  constructor(terminal: Terminal) {
    this.terminal = terminal;
  }

  protected abstract print(line: string): void;
  abstract event(event: RequestEvent): void;
  abstract stop(): void;

  phase(text: string): void {
    this.#phase = text;
    this.#phaseStart = performance.now();
    this.#transfer = null;
  }

  transferred(bytes: number, total: number | null): void {
    this.#transfer = { bytes, total };
  }

  note(text: string): void {
    this.print(text);
  }

  warn(text: string): void {
    this.print(`warning: ${text}`);
  }

  submitted(number: number, server: string | null): void {
    if (server !== null) this.print(`request ${number} on ${server}`);
  }

  log(line: LogLine): void {
    if (line.level === 'warn') this.warn(line.text);
  }

  result(_result: object, summary: readonly string[]): void {
    this.stop();
    for (const line of summary) this.terminal.stdout.write(`${printableText(line)}\n`);
  }

  error(error: PrintableError): void {
    this.stop();
    printProblem(error, this.terminal.stderr);
  }

  protected planOf(event: RequestEvent): string[] {
    return event.type === 'plan' ? planLines(event.data as RequestEventData['plan']) : [];
  }

  protected phaseLine(): string {
    const size = this.#transfer ? `  ${transferText(this.#transfer)}` : '';
    return `${this.#phase}${size}  ${formatSeconds(performance.now() - this.#phaseStart)}`;
  }

  /** Steps that are not over, or what goes on where there are none. */
  protected activity(): string[] {
    const running = this.progress.steps.filter(({ state }) => state === 'running' || state === 'queued');
    return running.length > 0 ? running.map((step) => this.progress.line(step)) : [this.phaseLine()];
  }
}

const REDRAW_MS = 100;

/** One line for each step, redrawn in place. */
class LiveReporter extends TextReporter {
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;
  #stopped = false;

  constructor(terminal: Terminal) {
    super(terminal);
    this.#timer = setInterval(() => this.#redraw(), REDRAW_MS);
  }

  event(event: RequestEvent): void {
    this.progress.apply(event);
    const plan = this.planOf(event);
    if (plan.length > 0) this.print(['plan:', ...plan.map((line) => `  ${line}`)].join('\n'));
  }

  /** The last state of every step stays on the screen. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#clear();
    for (const step of this.progress.steps) this.terminal.stderr.write(`${this.progress.line(step)}\n`);
  }

  protected print(line: string): void {
    this.#clear();
    this.terminal.stderr.write(`${printableText(line)}\n`);
    this.#redraw();
  }

  #redraw(): void {
    if (this.#stopped) return;
    const { steps } = this.progress;
    const unfinished = steps.some(({ state }) => state === 'running' || state === 'queued');
    const lines = steps.map((step) => this.progress.line(step));
    if (!unfinished) lines.push(this.phaseLine());
    const width = Math.max(20, (this.terminal.stderr.columns || 80) - 1);
    this.#clear();
    this.terminal.stderr.write(lines.map((line) => `${line.slice(0, width)}\n`).join(''));
    this.#drawn = lines.length;
  }

  #clear(): void {
    if (this.#drawn > 0) this.terminal.stderr.write(`\x1b[${this.#drawn}A\x1b[J`);
    this.#drawn = 0;
  }
}

const LINE_EVERY_MS = 2_000;

/** For logs of build systems: a line for each change, and one at least every two seconds. */
class PlainReporter extends TextReporter {
  readonly #timer: NodeJS.Timeout;

  constructor(terminal: Terminal) {
    super(terminal);
    this.#timer = setInterval(() => {
      for (const line of this.activity()) this.#write(line);
    }, LINE_EVERY_MS);
  }

  override phase(text: string): void {
    super.phase(text);
    this.print(text);
  }

  event(event: RequestEvent): void {
    const changed = this.progress.apply(event);
    for (const line of this.planOf(event)) this.print(`plan: ${line}`);
    if (changed && changed.state !== 'queued' && changed.state !== 'waiting') {
      this.print(this.progress.line(changed));
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  protected print(line: string): void {
    this.#timer.refresh();
    this.#write(line);
  }

  #write(line: string): void {
    this.terminal.stderr.write(`${printableText(line)}\n`);
  }
}

/** For programs: one JSON object a line on stdout. Errors are said on stderr too. */
class JsonReporter implements PrefetchReporter {
  readonly #terminal: Terminal;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  phase(text: string): void {
    this.#write({ type: 'phase', text });
  }

  transferred(): void {}

  note(text: string): void {
    this.#write({ type: 'note', text });
  }

  warn(text: string): void {
    this.#write({ type: 'warning', text });
  }

  submitted(number: number, server: string | null): void {
    this.#write({ type: 'submitted', number, server });
  }

  event(event: RequestEvent): void {
    this.#write({ type: 'event', event });
  }

  log(line: LogLine): void {
    this.#write({ type: 'log', line });
  }

  result(result: object): void {
    this.#write({ type: 'result', ...result });
  }

  error(error: PrintableError): void {
    this.#write({ type: 'error', ...error });
    printProblem(error, this.#terminal.stderr);
  }

  stop(): void {}

  #write(object: object): void {
    this.#terminal.stdout.write(`${JSON.stringify(object)}\n`);
  }
}

function transferText({ bytes, total }: { bytes: number; total: number | null }): string {
  return total === null ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(total)}`;
}
