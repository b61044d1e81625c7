import { GoModError, SubprocessCallError } from '../../../domain/errors.ts';
import { maskCredentials } from '../../downloads/mask-credentials.ts';
import { startProcessGroup } from '../../process-group.ts';

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
    // The name is the contract's error type (cachito.md 2.3), which knows no finer one.
    this.name = GoModError.name;
  }
}

const MAX_DOCUMENT = 64 * 1024 * 1024;
const MAX_OUTPUT = 2 * 1024 ** 3;
const HINT_LINES = 20;

/** Runs go as a process group of its own, which ends with the signal or at its time limit. Resolves to its messages. */
export async function runGo(run: GoRun): Promise<string> {
  const { args, directory, environment, signal, seconds } = run;
  const command = ['go', ...args].join(' ');
  const group = startProcessGroup('go', args, { workingDirectory: directory, environment, signal, seconds });
  group.stdin.end();
  let failure: unknown = null;
  const documents = new DocumentSplitter(run.onDocument ?? null);
  group.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    try {
      documents.take(chunk);
    } catch (error) {
      failure ??= error;
      group.stop();
    }
  });
  const { exitCode, stderr, timedOut } = await group.ended.catch((error: NodeJS.ErrnoException) => {
    throw startError(error);
  });
  if (failure) throw failure;
  const messages = maskCredentials(stderr);
  if (exitCode !== 0 || timedOut) throw new GoFailure(command, { exitCode, stderr: messages, timedOut });
  return messages;
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

export function startError(error: NodeJS.ErrnoException): Error {
  if (error.code !== 'ENOENT') return error;
  return new SubprocessCallError('executable-missing', 'The go command could not be run', {
    hint: 'Install Go on the worker: bundles of Go modules need it.',
    cause: error,
  });
}
