import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Settings } from '../domain/config.ts';
import { spanOfLogLine } from '../domain/tracing/span.ts';
import { maskCredentials } from '../workers/downloads/mask-credentials.ts';

const STDERR = 2;

/** The log of one process: JSON lines on stderr, or something to read when that is a terminal. */
export function processLogger(settings: Settings, part: string): Logger {
  const destination = process.stderr.isTTY
    ? pretty({ destination: STDERR, ignore: 'pid,hostname,part', messageFormat: '{part}: {msg}', sync: true })
    : pino.destination({ dest: STDERR, sync: true });
  return pino(
    {
      level: settings.logLevel,
      base: { part, pid: process.pid },
      ...(settings.traces && { mixin: spanOfLogLine }),
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['req.headers.authorization', 'headers.authorization', '*.password'], censor: '***' },
      // Messages and stacks of errors may quote a line of a file with a URL.
      hooks: { streamWrite: maskCredentials },
    },
    destination,
  );
}
