/** Whose history an event belongs to. */
export type SubjectType =
  | 'bundle-request'
  | 'log'
  | 'worker'
  | 'image'
  | 'repository'
  | 'garbage-run'
  | 'image-build';

/**
 * Something that happened to a subject. Versions of one subject count from 1 without gaps, so that a subscriber can go
 * on after the last one it saw. Of old ones the newest of each type stay (src/domain/retention/rules.ts).
 */
export interface DomainEvent {
  subjectType: SubjectType;
  subjectId: number;
  version: number;
  type: string;
  data: Record<string, unknown>;
  at: Date;
}

/** Position in the feed over all subjects, opaque to clients: `<transaction id>.<position>`. */
export type FeedCursor = string;

export const CHANNEL = 'stowage_events';
