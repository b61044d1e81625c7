import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

export interface GroupOptions {
  workingDirectory: string;
  /** All of it: nothing of the worker's own comes besides. */
  environment: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** Time limit. */
  seconds: number;
}

interface GroupOutcome {
  /** null: ended by a signal. */
  exitCode: number | null;
  /** The end of what the processes said; it may hold credentials. */
  stderr: string;
  timedOut: boolean;
}

/** A process with all that it starts. */
export interface ProcessGroup {
  stdin: Writable;
  stdout: Readable;
  /**
   * Resolves when the process has ended and its output is read. Rejects with the signal's reason when that was aborted,
   * and with a system error when the process could not be started.
   */
  ended: Promise<GroupOutcome>;
  stop(): void;
}

const MAX_STDERR = 64 * 1024;
/** Time to remove locks and temporary files. */
const GRACE_MS = 3000;

/**
 * Starts a command as a process group of its own, which ends as a whole with the signal, at its time limit or by `stop`:
 * asked first, then killed.
 */
export function startProcessGroup(
  command: string,
  args: readonly string[],
  { workingDirectory, environment, signal, seconds }: GroupOptions,
): ProcessGroup {
  signal.throwIfAborted();
  const child = spawn(command, [...args], {
    cwd: workingDirectory,
    env: { ...environment },
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // A process that ends early does not read to the end.
  child.stdin.on('error', () => undefined);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr = (stderr + chunk).slice(-MAX_STDERR);
  });
  let timedOut = false;
  let killing: NodeJS.Timeout | null = null;
  let closed = false;
  const stop = (): void => {
    // Afterwards the number may be somebody else's.
    if (killing || closed) return;
    signalGroup(child, 'SIGTERM');
    killing = setTimeout(() => signalGroup(child, 'SIGKILL'), GRACE_MS).unref();
  };
  const limit = setTimeout(() => {
    timedOut = true;
    stop();
  }, seconds * 1000);
  signal.addEventListener('abort', stop, { once: true });
  const ended = new Promise<GroupOutcome>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => {
      closed = true;
      if (signal.aborted) reject(signal.reason);
      else resolve({ exitCode, stderr, timedOut });
    });
  }).finally(() => {
    clearTimeout(limit);
    signal.removeEventListener('abort', stop);
  });
  return { stdin: child.stdin, stdout: child.stdout, ended, stop };
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
