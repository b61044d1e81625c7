import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';

/** How long a server may take. */
export interface Patience {
  /** Until the head is there, and between two pieces of a body. */
  silenceMs: number;
  /** Of a body, on average over that time: a byte now and then is no download. */
  bytesPerSecond: number;
}

export const DEFAULT_PATIENCE: Patience = { silenceMs: 300_000, bytesPerSecond: 1024 };
/** So much of an unwanted body is read to keep its connection. */
const DRAIN_LIMIT = 64 * 1024;

export interface ResponseHead {
  status: number;
  headers: IncomingHttpHeaders;
}

/** Takes the bytes of a body; the connection waits while the promise of a piece is open. */
export type BodyTaker = (chunk: Buffer) => Promise<void> | undefined;

/** The connection or the server failed; the same call may succeed later. What a taker throws is never wrapped in this. */
export class TransferError extends Error {
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  /** Nobody knows the name of the host, or nothing listens there. */
  readonly isUnreachable: boolean;

  constructor(
    reason: string,
    options: {
      cause?: unknown;
      retryable?: boolean;
      retryAfterMs?: number | null;
      isUnreachable?: boolean;
    } = {},
  ) {
    super(reason, { cause: options.cause });
    this.retryable = options.retryable ?? true;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.isUnreachable = options.isUnreachable ?? false;
  }
}

/**
 * One GET, or HEAD, without redirects or retries. `onHead` says who takes the body, null when nobody wants it. Works on the
 * dispatcher's callbacks: a stream for each of thousands of small files would cost more than the files.
 */
export function httpGet(
  dispatcher: Dispatcher,
  url: URL,
  headers: Record<string, string>,
  signal: AbortSignal,
  onHead: (head: ResponseHead) => BodyTaker | null,
  method: 'GET' | 'HEAD' = 'GET',
  { silenceMs, bytesPerSecond }: Patience = DEFAULT_PATIENCE,
): Promise<ResponseHead> {
  return new Promise((resolve, reject) => {
    let settled = false;
    let connection: Dispatcher.DispatchController | null = null;
    let head: ResponseHead | null = null;
    let take: BodyTaker | null = null;
    let pending: Promise<void> | null = null;
    let discarded = 0;
    let since = performance.now();
    let bytesSince = 0;

    const settle = (error: unknown): void => {
      if (settled) return;
      settled = true;
      signal.removeEventListener('abort', onAbort);
      if (error === null) resolve(head!);
      else reject(error);
    };
    const stop = (error: unknown): void => {
      settle(error);
      connection?.abort(error instanceof Error ? error : new Error('stopped'));
    };
    const onAbort = (): void => stop(signal.reason);
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });

    const requirePace = (bytes: number): void => {
      bytesSince += bytes;
      const seconds = (performance.now() - since) / 1_000;
      if (seconds * 1_000 < silenceMs) return;
      if (bytesSince < bytesPerSecond * seconds) {
        throw new TransferError(`only ${bytesSince} bytes came in ${seconds.toFixed(1)} s`);
      }
      begin();
    };
    const begin = (): void => {
      since = performance.now();
      bytesSince = 0;
    };

    const receive = (chunk: Buffer): void => {
      if (!take) {
        discarded += chunk.length;
        if (discarded > DRAIN_LIMIT) stop(null);
        return;
      }
      const taken = pending ? pending.then(() => take?.(chunk)) : take(chunk);
      if (!taken) return;
      connection?.pause();
      const step = taken.then(() => {
        if (pending !== step) return;
        pending = null;
        // It was us who were waited for.
        begin();
        connection?.resume();
      });
      pending = step;
      step.catch(stop);
    };

    dispatcher.dispatch(
      {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers,
        headersTimeout: silenceMs,
        bodyTimeout: silenceMs,
      },
      {
        onRequestStart(controller) {
          connection = controller;
          if (settled) controller.abort(new Error('stopped'));
        },
        onResponseStart(_controller, status, responseHeaders) {
          if (settled || status < 200) return;
          head = { status, headers: responseHeaders };
          begin();
          try {
            take = onHead(head);
          } catch (error) {
            stop(error);
          }
        },
        onResponseData(_controller, chunk) {
          if (settled) return;
          try {
            requirePace(chunk.length);
            receive(chunk);
          } catch (error) {
            stop(error);
          }
        },
        onResponseEnd() {
          if (pending) pending.then(() => settle(null), settle);
          else settle(null);
        },
        onResponseError(_controller, error) {
          settle(asTransferError(error));
        },
      },
    );
  });
}

/** `EAI_AGAIN` may be temporary. */
const UNREACHABLE = new Set(['ENOTFOUND', 'EAI_AGAIN', 'ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH']);
/** Errors about certificates: another try meets the same certificate. */
const PERMANENT = /^(ERR_TLS_CERT|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|ERR_SSL_WRONG_VERSION)/;

function asTransferError(error: Error): Error {
  // The address policy speaks through the connector.
  if (error.name === 'ValidationError') return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const parts =
    error instanceof AggregateError ? error.errors.map((one: Error) => one.message) : [error.message];
  const reason = parts.filter(Boolean).join('; ') || code || error.name;
  return new TransferError(reason, {
    cause: error,
    retryable: !PERMANENT.test(code),
    isUnreachable: UNREACHABLE.has(code),
  });
}
