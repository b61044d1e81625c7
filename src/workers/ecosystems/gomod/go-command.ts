import { type ChildProcess, spawn } from 'node:child_process';
import { GoModError, SubprocessCallError } from '../../../domain/errors.ts';
import { maskCredentials } from '../../downloads/mask-credentials.ts';

export interface GoRun {
  args: readonly string[];
  directory: string;
  environment: Readonly<Record<string, string>>;
  signal: AbortSignal;
  seconds: number;
  /** Gets each JSON document of the output as it comes. Absent: the output is dropped. */
  onDocument?: (document: unknown) => void;
}

/** The go command ended with an error. */
export class GoFailure extends GoModError {
  /** Credentials masked. */
  readonly stderr: string;

  constructor(command: string, outcome: { exitCode: number | null; stderr: string; timedOut: boolean }) {
    const reason = outcome.timedOut ? 'it took too long' : lastLines(outcome.stderr);
    super(
      'package-manager-failed',
      `Go execution failed: \`${command}\` failed with rc=${outcome.exitCode ?? -1}`,
      { hint: reason, details: { command, exitCode: outcome.exitCode, stderr: lastLines(outcome.stderr) } },
    );
    this.stderr = outcome.stderr;
  }
}

/** Of everything that is kept of one command's output. */
const MAX_STDERR = 64 * 1024;
const MAX_DOCUMENT = 64 * 1024 * 1024;
const MAX_OUTPUT = 2 * 1024 ** 3;
const HINT_LINES = 20;
const GRACE_MS = 3000;

/** Runs go as a process group of its own, which ends with the signal or at its time limit. Resolves to its messages. */
export async function runGo(run: GoRun): Promise<string> {
  run.signal.throwIfAborted();
  const command = ['go', ...run.args].join(' ');
  const child = spawn('go', [...run.args], {
    cwd: run.directory,
    env: { ...run.environment },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  let timedOut = false;
  let failure: unknown = null;
  const stop = (): void => {
    killGroup(child, 'SIGTERM');
    setTimeout(() => killGroup(child, 'SIGKILL'), GRACE_MS).unref();
  };
  const documents = new DocumentSplitter(run.onDocument ?? null);
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    try {
      documents.take(chunk);
    } catch (error) {
      failure ??= error;
      stop();
    }
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-MAX_STDERR);
  });
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, run.seconds * 1000);
  run.signal.addEventListener('abort', stop, { once: true });
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.on('error', (error: NodeJS.ErrnoException) => reject(startError(error)));
      child.on('close', resolve);
    });
    run.signal.throwIfAborted();
    if (failure) throw failure;
    const messages = maskCredentials(stderr);
    if (exitCode !== 0 || timedOut) throw new GoFailure(command, { exitCode, stderr: messages, timedOut });
    return messages;
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener('abort', stop);
  }
}

/** go writes indented documents one after another: each ends with a line `}`. */
class DocumentSplitter {
  readonly #onDocument: ((document: unknown) => void) | null;
  #pending: string[] = [];
  #pendingSize = 0;
  #total = 0;
  #rest = '';

  constructor(onDocument: ((document: unknown) => void) | null) {
    this.#onDocument = onDocument;
  }

  take(chunk: string): void {
    if (!this.#onDocument) return;
    this.#total += chunk.length;
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      this.#pending.push(line);
      this.#pendingSize += line.length;
      if (this.#pendingSize > MAX_DOCUMENT || this.#total > MAX_OUTPUT) {
        throw new GoModError('package-manager-failed', 'Go execution failed: the output is too large');
      }
      if (line !== '}') continue;
      this.#onDocument(JSON.parse(this.#pending.join('\n')));
      this.#pending = [];
      this.#pendingSize = 0;
    }
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-HINT_LINES).join('\n');
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

export function startError(error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ENOENT') return error;
  return new SubprocessCallError('executable-missing', 'The go command could not be run', {
    hint: 'Install Go on the worker: bundles of Go modules need it.',
    cause: error,
  });
}
