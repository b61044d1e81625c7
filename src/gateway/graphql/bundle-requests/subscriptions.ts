import type { RequestEventData } from '../../../domain/bundle-requests/bundle-request.ts';
import { getRequest } from '../../../domain/bundle-requests/find.ts';
import { followRequest, followRequests } from '../../../domain/bundle-requests/follow.ts';
import { InvalidInputError } from '../../../domain/errors.ts';
import type { DomainEvent, FeedCursor } from '../../../domain/events/event.ts';
import { followLog, followLogPages } from '../../../domain/logs/read-log.ts';
import { abortable, unbroken } from '../abortable.ts';
import { builder } from '../builder.ts';
import { BundleRequestRef } from './bundle-request.ts';
import { RequestEventTypeEnum } from './enums.ts';
import { LogLineRef, LogPageRef, logOf } from './log.ts';

const RequestEventRef = builder.objectRef<DomainEvent>('BundleRequestEvent').implement({
  fields: (t) => ({
    version: t.exposeInt('version', {
      nullable: false,
      description:
        'From 1; where some are left out, older events were forgotten and these are the newest of their types.',
    }),
    at: t.expose('at', { type: 'DateTime', nullable: false }),
    type: t.field({
      type: RequestEventTypeEnum,
      nullable: false,
      resolve: ({ type }) => type as keyof RequestEventData,
    }),
    data: t.expose('data', { type: 'JSON', nullable: false, description: 'What has changed, by type.' }),
    request: t.field({
      type: BundleRequestRef,
      description: 'As it is now, which may be later than the event.',
      resolve: ({ subjectId }, _args, { loaders }) => loaders.request.load(subjectId),
    }),
  }),
});

const FeedEventRef = builder
  .objectRef<DomainEvent & { cursor: FeedCursor }>('BundleRequestFeedEvent')
  .implement({
    fields: (t) => ({
      cursor: t.exposeString('cursor', { nullable: false, description: 'To go on behind this event.' }),
      number: t.exposeInt('subjectId', { nullable: false, description: 'Number of the request.' }),
      event: t.field({ type: RequestEventRef, nullable: false, resolve: (event) => event }),
      request: t.field({
        type: BundleRequestRef,
        resolve: ({ subjectId }, _args, { loaders }) => loaders.request.load(subjectId),
      }),
    }),
  });

builder.subscriptionFields((t) => ({
  bundleRequestEvents: t.field({
    type: RequestEventRef,
    nullable: false,
    description:
      'Everything that happens to a request, from its first event or after a version; completes when the request has ended.',
    args: {
      number: t.arg.int({ required: true }),
      afterVersion: t.arg.int({ required: true, defaultValue: 0 }),
    },
    subscribe: (_root, { number, afterVersion }, { principal, ...source }) =>
      abortable((signal) => followRequest(source, principal, number, afterVersion, signal)),
    resolve: unbroken,
  }),
  bundleRequestLog: t.field({
    type: LogLineRef,
    nullable: false,
    description: 'Lines of a log, from its first or after a line; completes when the log is closed.',
    args: {
      number: t.arg.int({ required: true }),
      afterLine: t.arg.int({ required: true, defaultValue: 0 }),
    },
    subscribe: (_root, { number, afterLine }, { principal, database, blobs, hub }) =>
      abortable(async (signal) => {
        await getRequest(database, principal, number);
        if (afterLine < 0) throw new InvalidInputError('afterLine must not be negative');
        return followLog(database, blobs, hub, logOf(number), afterLine, signal);
      }),
    resolve: unbroken,
  }),
  bundleRequestLogPages: t.field({
    type: LogPageRef,
    nullable: false,
    description:
      'The same lines, as many at a time as there are: for logs that grow faster than one can take single lines.',
    args: {
      number: t.arg.int({ required: true }),
      afterLine: t.arg.int({ required: true, defaultValue: 0 }),
    },
    subscribe: (_root, { number, afterLine }, { principal, database, blobs, hub }) =>
      abortable(async (signal) => {
        await getRequest(database, principal, number);
        if (afterLine < 0) throw new InvalidInputError('afterLine must not be negative');
        return followLogPages(database, blobs, hub, logOf(number), afterLine, signal);
      }),
    resolve: unbroken,
  }),
  bundleRequestFeed: t.field({
    type: FeedEventRef,
    nullable: false,
    description: 'Events of all requests that the caller may see, after a cursor or from now on.',
    args: { after: t.arg.string({ description: '`0.0`: from the beginning.' }) },
    subscribe: (_root, { after }, { principal, ...source }) =>
      abortable((signal) => followRequests(source, principal, after ?? null, signal)),
    resolve: unbroken,
  }),
}));
