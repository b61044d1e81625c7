import type { DomainEvent, FeedCursor } from '../../../domain/events/event.ts';
import {
  followBuild,
  followBuildLog,
  followBuildLogPages,
  followBuilds,
} from '../../../domain/images/follow-builds.ts';
import type { BuildEventData } from '../../../domain/images/image-build.ts';
import { abortable, unbroken } from '../abortable.ts';
import { builder } from '../builder.ts';
import { LogLineRef, LogPageRef } from '../bundle-requests/log.ts';
import { BuildEventTypeEnum } from './enums.ts';
import { ImageBuildRef } from './refs.ts';

const BuildEventRef = builder.objectRef<DomainEvent>('ImageBuildEvent').implement({
  fields: (t) => ({
    version: t.exposeInt('version', {
      nullable: false,
      description:
        'From 1; where some are left out, older events were forgotten and these are the newest of their types.',
    }),
    at: t.expose('at', { type: 'DateTime', nullable: false }),
    type: t.field({
      type: BuildEventTypeEnum,
      nullable: false,
      resolve: ({ type }) => type as keyof BuildEventData,
    }),
    data: t.expose('data', { type: 'JSON', nullable: false, description: 'What has changed, by type.' }),
    build: t.field({
      type: ImageBuildRef,
      description: 'As it is now, which may be later than the event; null when its image was deleted.',
      resolve: ({ subjectId }, _args, { loaders }) => loaders.images.build.load(subjectId),
    }),
  }),
});

const BuildFeedEventRef = builder
  .objectRef<DomainEvent & { cursor: FeedCursor }>('ImageBuildFeedEvent')
  .implement({
    fields: (t) => ({
      cursor: t.exposeString('cursor', { nullable: false, description: 'To go on behind this event.' }),
      number: t.exposeInt('subjectId', { nullable: false, description: 'Number of the build.' }),
      event: t.field({ type: BuildEventRef, nullable: false, resolve: (event) => event }),
      build: t.field({
        type: ImageBuildRef,
        resolve: ({ subjectId }, _args, { loaders }) => loaders.images.build.load(subjectId),
      }),
    }),
  });

builder.subscriptionFields((t) => ({
  imageBuildEvents: t.field({
    type: BuildEventRef,
    nullable: false,
    description:
      'Everything that happens to a build, from its first event or after a version; completes when the build has ended.',
    args: {
      number: t.arg.int({ required: true }),
      afterVersion: t.arg.int({ required: true, defaultValue: 0 }),
    },
    subscribe: (_root, { number, afterVersion }, { principal, ...source }) =>
      abortable((signal) => followBuild(source, principal, number, afterVersion, signal)),
    resolve: unbroken,
  }),
  imageBuildLog: t.field({
    type: LogLineRef,
    nullable: false,
    description: 'Lines of a log, from its first or after a line; completes when the build has ended.',
    args: {
      number: t.arg.int({ required: true }),
      afterLine: t.arg.int({ required: true, defaultValue: 0 }),
    },
    subscribe: (_root, { number, afterLine }, { principal, ...source }) =>
      abortable((signal) => followBuildLog(source, principal, number, afterLine, signal)),
    resolve: unbroken,
  }),
  imageBuildLogPages: t.field({
    type: LogPageRef,
    nullable: false,
    description:
      'The same lines, as many at a time as there are: for logs that grow faster than one can take single lines.',
    args: {
      number: t.arg.int({ required: true }),
      afterLine: t.arg.int({ required: true, defaultValue: 0 }),
    },
    subscribe: (_root, { number, afterLine }, { principal, ...source }) =>
      abortable((signal) => followBuildLogPages(source, principal, number, afterLine, signal)),
    resolve: unbroken,
  }),
  imageBuildFeed: t.field({
    type: BuildFeedEventRef,
    nullable: false,
    description: 'Events of all builds that the caller may see, after a cursor or from now on.',
    args: { after: t.arg.string({ description: '`0.0`: from the beginning.' }) },
    subscribe: (_root, { after }, { principal, ...source }) =>
      abortable((signal) => followBuilds(source, principal, after ?? null, signal)),
    resolve: unbroken,
  }),
}));
