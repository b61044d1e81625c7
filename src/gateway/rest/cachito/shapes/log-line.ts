import type { LogLevel, LogLine } from '../../../../domain/logs/log-line.ts';

const LEVELS: Record<LogLevel, string> = { debug: 'DEBUG', info: 'INFO', warn: 'WARNING', error: 'ERROR' };

/**
 * A line as in Cachito's logs (cachito.md 6.1): `[time logger LEVEL module.function] message`. What wrote it is the
 * logger; the task and what it worked on are the module and the function.
 */
export function cachitoLogLine({ at, level, source, text }: LogLine): string {
  const time = at.toISOString().replace('T', ' ').replace('.', ',').replace('Z', '');
  const [module = 'stowage', work = 'run'] = source.split('.', 2);
  return `[${time} stowage.${source} ${LEVELS[level]} ${module}.${work}] ${text}`;
}
