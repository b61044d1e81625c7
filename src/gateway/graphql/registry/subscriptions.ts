import type { DomainEvent, FeedCursor } from '../../../domain/events/event.ts';
import { followImage, followImages, followPulls, followRepository } from '../../../domain/registry/follow.ts';
import { abortable, unbroken } from '../abortable.ts';
import { builder } from '../builder.ts';
import { ImageRef } from './refs.ts';
import { RepositoryRef } from './repository.ts';

const ImageEventRef = builder.objectRef<DomainEvent>('ImageEvent').implement({
  description: 'Something that happened to an image, its tags or its manifests.',
  fields: (t) => ({
    version: t.exposeInt('version', {
      nullable: false,
      description:
        'From 1; where some are left out, older events were forgotten and these are the newest of their types.',
    }),
    at: t.expose('at', { type: 'DateTime', nullable: false }),
    type: t.exposeString('type', {
      nullable: false,
      description:
        '`pushed`, `tagged`, `tag-renamed`, `promoted`, `tag-deleted`, `manifest-deleted`, `image-deleted`.',
    }),
    data: t.expose('data', { type: 'JSON', nullable: false, description: 'Digests and tags, by type.' }),
    image: t.field({
      type: ImageRef,
      description: 'As it is now, which may be later than the event.',
      resolve: ({ subjectId }, _args, { loaders }) => loaders.registry.image.load(subjectId),
    }),
  }),
});

const ImageFeedEventRef = builder
  .objectRef<DomainEvent & { cursor: FeedCursor }>('ImageFeedEvent')
  .implement({
    fields: (t) => ({
      cursor: t.exposeString('cursor', { nullable: false, description: 'To go on behind this event.' }),
      event: t.field({ type: ImageEventRef, nullable: false, resolve: (event) => event }),
    }),
  });

const RepositoryEventRef = builder.objectRef<DomainEvent>('RepositoryEvent').implement({
  description: 'Something that happened to a repository itself.',
  fields: (t) => ({
    version: t.exposeInt('version', {
      nullable: false,
      description:
        'From 1; where some are left out, older events were forgotten and these are the newest of their types.',
    }),
    at: t.expose('at', { type: 'DateTime', nullable: false }),
    type: t.exposeString('type', { nullable: false, description: '`created`, `changed`, `deleted`.' }),
    data: t.expose('data', { type: 'JSON', nullable: false }),
    repository: t.field({
      type: RepositoryRef,
      description: 'As it is now.',
      resolve: ({ subjectId }, _args, { loaders }) => loaders.registry.repository.load(subjectId),
    }),
  }),
});

builder.subscriptionFields((t) => ({
  imageEvents: t.field({
    type: ImageEventRef,
    nullable: false,
    description: 'Everything that happens to an image, from its first event or after a version.',
    args: {
      path: t.arg.string({ required: true }),
      afterVersion: t.arg.int({ required: true, defaultValue: 0 }),
    },
    subscribe: (_root, { path, afterVersion }, { registry, hub, principal }) =>
      abortable((signal) => followImage({ registry, hub }, principal, path, afterVersion, signal)),
    resolve: unbroken,
  }),
  imageFeed: t.field({
    type: ImageFeedEventRef,
    nullable: false,
    description: 'Events of all images that the caller may pull, after a cursor or from now on.',
    args: {
      after: t.arg.string({ description: '`0.0`: from the beginning.' }),
      project: t.arg.string(),
      repository: t.arg.string({ description: 'Its name.' }),
      types: t.arg.stringList({ description: 'See `ImageEvent.type`; all when absent.' }),
    },
    subscribe: (_root, { after, ...filter }, { registry, hub, principal }) =>
      abortable((signal) => followImages({ registry, hub }, principal, filter, after ?? null, signal)),
    resolve: unbroken,
  }),
  imagePulls: t.field({
    type: ImageRef,
    nullable: false,
    description: 'The image now, and again whenever it was pulled; pulls are counted about once a second.',
    args: { path: t.arg.string({ required: true }) },
    subscribe: (_root, { path }, { registry, hub, principal }) =>
      abortable((signal) => followPulls({ registry, hub }, principal, path, signal)),
    resolve: unbroken,
  }),
  repositoryEvents: t.field({
    type: RepositoryEventRef,
    nullable: false,
    description: 'What happens to a repository itself, from its first event or after a version.',
    args: {
      project: t.arg.string({ required: true }),
      name: t.arg.string({ required: true }),
      afterVersion: t.arg.int({ required: true, defaultValue: 0 }),
    },
    subscribe: (_root, { afterVersion, ...name }, { registry, hub, principal }) =>
      abortable((signal) => followRepository({ registry, hub }, principal, name, afterVersion, signal)),
    resolve: unbroken,
  }),
}));
