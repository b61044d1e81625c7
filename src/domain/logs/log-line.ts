import type { SubjectType } from '../events/event.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Whose log it is: each subject has one, shared by all its steps. */
export interface LogSubject {
  subjectType: SubjectType;
  subjectId: number;
}

export interface NewLogLine {
  at: Date;
  level: LogLevel;
  /** Which part wrote it, e.g. `resolve-packages.npm`. */
  source: string;
  text: string;
}

/** Lines of one log are numbered from 1 without gaps. */
export interface LogLine extends NewLogLine {
  number: number;
}

/** Topic of {@link EventHub.follow} that is woken when lines were written. */
export function logTopic(subject: LogSubject): string {
  return `log/${subject.subjectType}:${subject.subjectId}`;
}
