import type { DomainEvent, SubjectType } from './event.ts';
import type { EventHub } from './event-hub.ts';

/** A subject whose history ends, and may begin anew: a request, a build. */
interface EndingSubject {
  version: number;
  hasEnded: boolean;
}

/**
 * Every event after a version, then those to come; ends behind the last event of a subject that has ended.
 *
 * @param look at the subject as it is now; null: it is gone
 */
export async function* followUntilEnd(
  hub: EventHub,
  { type, id, afterVersion }: { type: SubjectType; id: number; afterVersion: number },
  {
    now,
    isEnd,
    look,
  }: {
    now: EndingSubject;
    isEnd(event: DomainEvent): boolean;
    look(): Promise<EndingSubject | null>;
  },
  signal: AbortSignal,
): AsyncGenerator<DomainEvent> {
  if (now.hasEnded && afterVersion >= now.version) return;
  // The version with which it may be over; a retry can follow.
  let end = now.hasEnded ? now.version : Number.POSITIVE_INFINITY;
  for await (const event of hub.subject(type, id, afterVersion, signal)) {
    yield event;
    if (isEnd(event)) end = Math.min(end, event.version);
    if (event.version < end) continue;
    const seen = await look();
    if (!seen || (seen.hasEnded && event.version >= seen.version)) return;
    end = seen.hasEnded ? seen.version : Number.POSITIVE_INFINITY;
  }
}
