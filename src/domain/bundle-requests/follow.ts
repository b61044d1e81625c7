import type { Database } from '../database/database.ts';
import { findRequest } from '../database/sql/bundle-request-rows.ts';
import { findVisibleRequests } from '../database/sql/list-requests.ts';
import { InvalidInputError } from '../errors.ts';
import type { DomainEvent, FeedCursor } from '../events/event.ts';
import type { EventHub } from '../events/event-hub.ts';
import { requireFeedCursor } from '../events/feed-cursor.ts';
import { followUntilEnd } from '../events/follow-until-end.ts';
import { VisibleSubjects } from '../events/visible-subjects.ts';
import { type Principal, requireScope } from '../identity/principal.ts';
import type { BundleRequest, RequestState } from './bundle-request.ts';
import { getRequest } from './find.ts';

/** Where events come from. */
export interface EventSource {
  database: Database;
  hub: EventHub;
}

/**
 * Every event of a request after a version, then those to come; ends behind the last event of a request that has ended.
 * Throws NotFoundError before there is a stream.
 */
export async function followRequest(
  source: EventSource,
  principal: Principal,
  id: number,
  afterVersion: number,
  signal: AbortSignal,
): Promise<AsyncGenerator<DomainEvent>> {
  const request = await getRequest(source.database, principal, id);
  if (afterVersion < 0) throw new InvalidInputError('afterVersion must not be negative');
  if (!hasEnded(request) && afterVersion > request.version) {
    throw new InvalidInputError(`Request ${id} has only ${request.version} versions yet`);
  }
  return eventsOf(source, request, afterVersion, signal);
}

function eventsOf(
  { database, hub }: EventSource,
  request: BundleRequest,
  afterVersion: number,
  signal: AbortSignal,
): AsyncGenerator<DomainEvent> {
  const ending = ({ version, state }: BundleRequest) => ({ version, hasEnded: hasEnded({ state }) });
  const subject = { type: 'bundle-request', id: request.id, afterVersion } as const;
  const look = async () => {
    const now = await findRequest(database.sql, request.id);
    return now && ending(now);
  };
  return followUntilEnd(hub, subject, { now: ending(request), isEnd, look }, signal);
}

/** Events of all requests that the principal may see, after a cursor or from now on. */
export async function followRequests(
  source: EventSource,
  principal: Principal,
  after: FeedCursor | null,
  signal: AbortSignal,
): Promise<AsyncGenerator<DomainEvent & { cursor: FeedCursor }>> {
  requireScope(principal, 'read');
  requireFeedCursor(after);
  return visibleEvents(source, principal, after, signal);
}

async function* visibleEvents(
  { database, hub }: EventSource,
  principal: Principal,
  after: FeedCursor | null,
  signal: AbortSignal,
): AsyncGenerator<DomainEvent & { cursor: FeedCursor }> {
  const visible = new VisibleSubjects(async (id) => {
    const [found] = await findVisibleRequests(database.sql, principal, [id]);
    return found !== undefined;
  });
  for await (const event of hub.feed('bundle-request', after, signal)) {
    if (await visible.includes(event.subjectId)) yield event;
  }
}

function isEnd({ type, data }: DomainEvent): boolean {
  return type === 'state' && hasEnded({ state: data.state as RequestState });
}

function hasEnded({ state }: { state: RequestState }): boolean {
  return state !== 'in_progress';
}
