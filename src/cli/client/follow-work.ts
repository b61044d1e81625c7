import { DomainError } from '../../domain/errors.ts';
import type { StowageClient } from './stowage-client.ts';
import { followLog, type LoggedSubject, type LogLine } from './subject-log.ts';

/** Work of the server that a command waits for, and how it is shown. */
interface FollowedWork {
  subject: LoggedSubject;
  number: number;
  /** Shows all events until the work has ended. */
  showEvents(signal: AbortSignal): Promise<void>;
  showLine(line: LogLine): void;
  /** How long the last lines may take once the work has ended. */
  logGraceMs: number;
  onLogLost(error: Error): void;
  /** Told to stop; must not throw. */
  onInterrupt(): void;
  cancel(): Promise<void>;
}

const CANCEL_GRACE_MS = 2_000;

/** Shows log and events until the work has ended, and cancels it when it is interrupted: then throws DomainError('interrupted'). */
export async function followWork(
  client: StowageClient,
  work: FollowedWork,
  interrupted: AbortSignal,
): Promise<void> {
  const ended = new AbortController();
  const onInterrupt = (): void => {
    work.onInterrupt();
    work.cancel().catch((error: Error) => {
      // It may have ended by itself just now; anything else must not keep us.
      setTimeout(() => ended.abort(error), CANCEL_GRACE_MS);
    });
  };
  interrupted.addEventListener('abort', onInterrupt, { once: true });
  if (interrupted.aborted) onInterrupt();
  const log = showLog(client, work, ended.signal);
  try {
    await work.showEvents(ended.signal);
  } catch (error) {
    if (!interrupted.aborted) throw error;
  } finally {
    interrupted.removeEventListener('abort', onInterrupt);
    // The log closes with the work: what is still on its way comes.
    const grace = setTimeout(() => ended.abort(), interrupted.aborted ? 0 : work.logGraceMs);
    await log;
    clearTimeout(grace);
    ended.abort();
  }
  if (interrupted.aborted) throw new DomainError('interrupted', 'Interrupted');
}

async function showLog(client: StowageClient, work: FollowedWork, signal: AbortSignal): Promise<void> {
  try {
    for await (const line of followLog(client, work.subject, work.number, signal)) work.showLine(line);
  } catch (error) {
    if (!signal.aborted) work.onLogLost(error as Error);
  }
}
