import { InvalidInputError } from '../../../domain/errors.ts';
import type { LogLine, LogSubject } from '../../../domain/logs/log-line.ts';
import { type LogPage, readLog } from '../../../domain/logs/read-log.ts';
import { builder } from '../builder.ts';
import type { GraphQLContext } from '../context.ts';
import { LogLevelEnum } from './enums.ts';

export const LogLineRef = builder.objectRef<LogLine>('LogLine').implement({
  fields: (t) => ({
    number: t.exposeInt('number', { nullable: false, description: 'From 1, without gaps.' }),
    at: t.expose('at', { type: 'DateTime', nullable: false }),
    level: t.expose('level', { type: LogLevelEnum, nullable: false }),
    source: t.exposeString('source', {
      nullable: false,
      description: 'Which part wrote it, e.g. `resolve-packages.npm`.',
    }),
    text: t.exposeString('text', { nullable: false }),
  }),
});

export const LogPageRef = builder.objectRef<LogPage>('LogPage').implement({
  fields: (t) => ({
    lines: t.expose('lines', {
      type: [LogLineRef],
      nullable: false,
      complexity: { field: 5, multiplier: 3 },
    }),
    total: t.exposeInt('total', { nullable: false, description: 'Lines that there are now.' }),
    closed: t.exposeBoolean('closed', { nullable: false, description: 'No more lines will come.' }),
  }),
});

const LONGEST_PAGE = 5_000;

export async function readLogPage(
  { database, blobs }: GraphQLContext,
  subject: LogSubject,
  { afterLine, limit }: { afterLine: number; limit: number },
): Promise<LogPage> {
  if (afterLine < 0) throw new InvalidInputError('afterLine must not be negative');
  if (limit < 1 || limit > LONGEST_PAGE) {
    throw new InvalidInputError(`limit must be from 1 to ${LONGEST_PAGE}`);
  }
  return await readLog(database, blobs, subject, afterLine, limit);
}

export function logOf(requestId: number): LogSubject {
  return { subjectType: 'bundle-request', subjectId: requestId };
}
