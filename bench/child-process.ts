import { type ChildProcess, fork, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stage } from './stage.ts';

/** A part of a benchmark in a process of its own, so that it does not share the event loop with what is measured. */
export interface Part<Ready> {
  /** What the part has said first. */
  ready: Ready;
  /** Sends a question and waits for the answer; one at a time. */
  ask<Answer>(question: object): Promise<Answer>;
  /** Waits for what the part says next without being asked. */
  next<Message>(): Promise<Message>;
  stop(): Promise<void>;
}

/** Starts a file of this folder; it says something when it is ready, and ends when its channel does. */
export async function startPart<Ready>(
  stage: Stage,
  file: string,
  args: readonly (string | number)[] = [],
): Promise<Part<Ready>> {
  const child = fork(join(import.meta.dirname, file), args.map(String));
  stage.atEnd(() => end(child));
  const ready = await nextMessage<Ready>(child, file);
  return {
    ready,
    async ask<Answer>(question: object) {
      const answer = nextMessage<Answer>(child, file);
      child.send(question);
      return await answer;
    },
    next: <Message>() => nextMessage<Message>(child, file),
    stop: () => end(child),
  };
}

/** A gateway or worker as production runs it. */
export interface Service {
  /** Where it listens; null: nowhere. */
  url: string | null;
  pid: number;
  stop(): Promise<void>;
}

const ENTRY = join(import.meta.dirname, '../bin/stowage');

export async function startService(
  stage: Stage,
  command: 'gateway' | 'worker',
  environment: Record<string, string>,
): Promise<Service> {
  const logFile = join(stage.root, `${command}.log`);
  const log = openSync(logFile, 'w');
  const stdio: StdioOptions = ['ignore', 'ignore', log, 'ipc'];
  const { PATH, NODE_OPTIONS = '' } = process.env;
  const child = spawn(ENTRY, [command], {
    env: { PATH, NODE_OPTIONS, HOME: stage.root, STOWAGE_LOG_LEVEL: 'warn', ...environment },
    stdio,
  });
  closeSync(log);
  stage.atEnd(() => end(child));
  try {
    const message = await nextMessage<{ type: string; url: string | null; message?: string }>(child, command);
    if (message.type !== 'ready') throw new Error(`${command}: ${message.message}`);
    return { url: message.url, pid: child.pid!, stop: () => end(child) };
  } catch (error) {
    process.stderr.write(readFileSync(logFile, 'utf8').slice(-4_000));
    throw error;
  }
}

/** Largest resident memory since its start, in MB. */
export function peakMemory({ pid }: Service): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(/VmHWM:\s+(\d+)/.exec(status)![1]) * 1024) / 1e6;
}

async function nextMessage<T>(child: ChildProcess, name: string): Promise<T> {
  const gone = new AbortController();
  const left = once(child, 'exit', { signal: gone.signal }).then(([code, signal]) => {
    throw new Error(`${name} has ended: ${code ?? signal}`);
  });
  try {
    const [message] = await Promise.race([once(child, 'message', { signal: gone.signal }), left]);
    return message as T;
  } finally {
    left.catch(() => undefined);
    gone.abort();
  }
}

const ENDS_WITHIN_MS = 10_000;

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  const deadline = setTimeout(() => child.kill('SIGKILL'), ENDS_WITHIN_MS);
  child.kill('SIGTERM');
  await exit;
  clearTimeout(deadline);
}
