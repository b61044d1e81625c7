import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import type { Settings } from '../domain/config.ts';
import { InvalidInputError } from '../domain/errors.ts';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const STDERR = 2;

/** The log of one process: JSON lines on stderr, or something to read when that is a terminal. */
export function processLogger(settings: Settings, part: string): Logger {
  if (!LEVELS.includes(settings.logLevel)) {
    throw new InvalidInputError(
      `STOWAGE_LOG_LEVEL must be one of ${LEVELS.join(', ')}, not "${settings.logLevel}"`,
    );
  }
  const destination = process.stderr.isTTY
    ? pretty({ destination: STDERR, ignore: 'pid,hostname,part', messageFormat: '{part}: {msg}', sync: true })
    : pino.destination({ dest: STDERR, sync: true });
  return pino(
    {
      level: settings.logLevel,
      base: { part, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['req.headers.authorization', 'headers.authorization', '*.password'], censor: '***' },
    },
    destination,
  );
}
