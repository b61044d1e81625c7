import type { Database } from '../database/database.ts';
import { findRequest } from '../database/sql/bundle-request-rows.ts';
import { findVisibleRequests } from '../database/sql/list-requests.ts';
import { InvalidInputError } from '../errors.ts';
import type { DomainEvent, FeedCursor } from '../events/event.ts';
import type { EventHub } from '../events/event-hub.ts';
import { requireFeedCursor } from '../events/feed-cursor.ts';
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

async function* eventsOf(
  { database, hub }: EventSource,
  request: BundleRequest,
  afterVersion: number,
  signal: AbortSignal,
): AsyncGenerator<DomainEvent> {
  const { id } = request;
  if (hasEnded(request) && afterVersion >= request.version) return;
  // The version with which it may be over; a retry can follow.
  let end = hasEnded(request) ? request.version : Number.POSITIVE_INFINITY;
  for await (const event of hub.subject('bundle-request', id, afterVersion, signal)) {
    yield event;
    if (isEnd(event)) end = Math.min(end, event.version);
    if (event.version < end) continue;
    const now = await findRequest(database.sql, id);
    if (!now || (hasEnded(now) && event.version >= now.version)) return;
    end = hasEnded(now) ? now.version : Number.POSITIVE_INFINITY;
  }
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
  const visible = new Visibility(database, principal);
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

/** Answers are kept for a moment: a running request gives many events. */
class Visibility {
  readonly #database: Database;
  readonly #principal: Principal;
  readonly #known = new Map<number, { visible: boolean; until: number }>();

  constructor(database: Database, principal: Principal) {
    this.#database = database;
    this.#principal = principal;
  }

  async includes(id: number): Promise<boolean> {
    const known = this.#known.get(id);
    if (known && known.until > Date.now()) return known.visible;
    const [found] = await findVisibleRequests(this.#database.sql, this.#principal, [id]);
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    this.#known.set(id, { visible: found !== undefined, until: Date.now() + KNOWN_FOR_MS });
    return found !== undefined;
  }
}

const MOST_KNOWN = 10_000;
const KNOWN_FOR_MS = 5_000;
