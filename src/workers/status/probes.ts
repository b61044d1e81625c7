import { execFile } from 'node:child_process';
import { STATUS_CODES } from 'node:http';
import { promisify } from 'node:util';
import type { Settings } from '../../domain/config.ts';
import { DomainError } from '../../domain/errors.ts';
import type { ServiceStatus } from '../../domain/status/system-status.ts';
import type { Dispatchers } from '../downloads/dispatchers.ts';
import { httpGet } from '../downloads/http-get.ts';
import { addressOf, type UpstreamAddress, type UpstreamName } from './upstreams.ts';

const TIMEOUT_MS = 3_000;

export async function probeGit(signal: AbortSignal): Promise<ServiceStatus> {
  try {
    await promisify(execFile)('git', ['--version'], { cwd: '/', timeout: TIMEOUT_MS, signal });
    return { name: 'git', ok: true, reason: null };
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    return { name: 'git', ok: false, reason: isMissing ? 'git is not installed' : 'git does not run' };
  }
}

/** null: none is configured. One GET without retries; any answer shows that somebody is there. */
export async function probeUpstream(
  name: UpstreamName,
  settings: Settings,
  dispatchers: Dispatchers,
  stop: AbortSignal,
): Promise<ServiceStatus | null> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]);
  try {
    const address = await untilAborted(addressOf(name, settings), signal);
    if (address === null) return null;
    const reason = refusal(await statusOf(address, dispatchers, signal));
    return { name, ok: reason === null, reason };
  } catch (error) {
    return { name, ok: false, reason: error instanceof DomainError ? error.message : 'connection failed' };
  }
}

async function statusOf(
  { url, headers }: UpstreamAddress,
  dispatchers: Dispatchers,
  signal: AbortSignal,
): Promise<number> {
  const target = new URL(url);
  const connection = await dispatchers.connectionTo(target, { guarded: false, insecure: false }, signal);
  const { status } = await httpGet(connection, target, headers, signal, () => null);
  return status;
}

/** Whether a path is served is a matter of the request, but who may not come in gets nothing. */
function refusal(status: number): string | null {
  if (status < 500 && status !== 401 && status !== 407) return null;
  return `${status}: ${STATUS_CODES[status] ?? 'Unknown'}`;
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
