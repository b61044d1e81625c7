import type { Database } from '../database/database.ts';
import { findBuildRow, findVisibleBuilds } from '../database/sql/image-build-rows.ts';
import { InvalidInputError } from '../errors.ts';
import type { DomainEvent, FeedCursor } from '../events/event.ts';
import type { EventHub } from '../events/event-hub.ts';
import { requireFeedCursor } from '../events/feed-cursor.ts';
import { followUntilEnd } from '../events/follow-until-end.ts';
import { VisibleSubjects } from '../events/visible-subjects.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import type { LogLine, LogSubject } from '../logs/log-line.ts';
import { followLog, followLogPages, type LogPage } from '../logs/read-log.ts';
import type { BlobStore } from '../storage/blob-store.ts';
import { type BuildState, hasEnded, type ImageBuild } from './image-build.ts';
import { requireBuildView } from './permissions.ts';

interface EventSource {
  database: Database;
  hub: EventHub;
}

/**
 * Every event of a build after a version, then those to come; ends behind the last event of a build that has ended, or
 * whose image was deleted. Throws NotFoundError before there is a stream.
 */
export async function followBuild(
  { database, hub }: EventSource,
  principal: Principal,
  id: number,
  afterVersion: number,
  signal: AbortSignal,
): Promise<AsyncGenerator<DomainEvent>> {
  const build = await requireBuildView({ sql: database.sql }, principal, id);
  if (afterVersion < 0) throw new InvalidInputError('afterVersion must not be negative');
  if (!hasEnded(build) && afterVersion > build.version) {
    throw new InvalidInputError(`Build ${id} has only ${build.version} versions yet`);
  }
  const ending = (one: ImageBuild) => ({ version: one.version, hasEnded: hasEnded(one) });
  const isEnd = ({ type, data }: DomainEvent): boolean =>
    type === 'state' && hasEnded({ state: data.state as BuildState });
  const look = async () => {
    const now = await findBuildRow(database.sql, id);
    return now && ending(now);
  };
  const subject = { type: 'image-build', id, afterVersion } as const;
  return followUntilEnd(hub, subject, { now: ending(build), isEnd, look }, signal);
}

/** Events of all builds that the principal may see, after a cursor or from now on. */
export async function followBuilds(
  { database, hub }: EventSource,
  principal: Principal,
  after: FeedCursor | null,
  signal: AbortSignal,
): Promise<AsyncGenerator<DomainEvent & { cursor: FeedCursor }>> {
  requireScope(principal, 'read');
  requireFeedCursor(after);
  const visible = new VisibleSubjects(async (id) => {
    const [found] = await findVisibleBuilds(database.sql, principal, [id]);
    return found !== undefined;
  });
  return visibleEvents(hub.feed('image-build', after, signal), visible);
}

async function* visibleEvents<Event extends DomainEvent>(
  events: AsyncGenerator<Event>,
  visible: VisibleSubjects,
): AsyncGenerator<Event> {
  for await (const event of events) if (await visible.includes(event.subjectId)) yield event;
}

interface LogSource extends EventSource {
  blobs: BlobStore;
}

/** Lines of a build's log after a number, then those to come, until the build has ended. Throws NotFoundError. */
export async function followBuildLog(
  source: LogSource,
  principal: Principal,
  id: number,
  afterLine: number,
  signal: AbortSignal,
): Promise<AsyncGenerator<LogLine>> {
  const { database, blobs, hub } = source;
  return followLog(
    database,
    blobs,
    hub,
    await viewedLog(source, principal, id, afterLine),
    afterLine,
    signal,
  );
}

/** The same lines by pages. */
export async function followBuildLogPages(
  source: LogSource,
  principal: Principal,
  id: number,
  afterLine: number,
  signal: AbortSignal,
): Promise<AsyncGenerator<LogPage>> {
  const { database, blobs, hub } = source;
  const subject = await viewedLog(source, principal, id, afterLine);
  return followLogPages(database, blobs, hub, subject, afterLine, signal);
}

async function viewedLog(
  { database }: LogSource,
  principal: Principal,
  id: number,
  afterLine: number,
): Promise<LogSubject> {
  await requireBuildView(database, principal, id);
  if (afterLine < 0) throw new InvalidInputError('afterLine must not be negative');
  return { subjectType: 'image-build', subjectId: id };
}
