import type { GarbageRun } from '../../../domain/database/sql/garbage-runs.ts';
import type { DomainEvent, FeedCursor } from '../../../domain/events/event.ts';
import { type ExplainedGarbage, explainGarbage } from '../../../domain/garbage/explain-garbage.ts';
import { findGarbageRuns, followGarbageRuns } from '../../../domain/garbage/follow-runs.ts';
import { GARBAGE, type Garbage, type GarbageKind, GRACE } from '../../../domain/garbage/garbage.ts';
import { requireAdmin } from '../../../domain/identity/principal.ts';
import { abortable, unbroken } from '../abortable.ts';
import { builder } from '../builder.ts';
import { complexityByRows, connectionById, PAGE_SIZES } from '../connections.ts';

interface Removed {
  kind: GarbageKind;
  items: number;
  bytes: number;
}

const RemovedRef = builder.objectRef<Removed>('RemovedGarbage').implement({
  fields: (t) => ({
    kind: t.exposeString('kind', { nullable: false }),
    why: t.string({ nullable: false, resolve: ({ kind }) => GARBAGE[kind] ?? kind }),
    items: t.exposeInt('items', { nullable: false }),
    bytes: t.expose('bytes', { type: 'Bytes', nullable: false, description: 'Freed on the disk.' }),
  }),
});

const GarbageRunStateEnum = builder.enumType('GarbageRunState', {
  values: {
    RUNNING: { value: 'running' },
    COMPLETE: { value: 'complete' },
    FAILED: { value: 'failed' },
  } as const,
});

const GarbageRunRef = builder.objectRef<GarbageRun>('GarbageRun').implement({
  description: 'One run of the collector of the store.',
  fields: (t) => ({
    number: t.exposeInt('id', { nullable: false }),
    state: t.expose('state', { type: GarbageRunStateEnum, nullable: false }),
    removed: t.field({ type: [RemovedRef], nullable: false, resolve: ({ removed }) => listOf(removed) }),
    error: t.exposeString('error'),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: false }),
    finishedAt: t.expose('finishedAt', { type: 'DateTime' }),
  }),
});

const GarbageRunEventRef = builder
  .objectRef<DomainEvent & { cursor: FeedCursor }>('GarbageRunEvent')
  .implement({
    fields: (t) => ({
      cursor: t.exposeString('cursor', { nullable: false, description: 'To go on behind this event.' }),
      number: t.exposeInt('subjectId', { nullable: false, description: 'Of the run.' }),
      version: t.exposeInt('version', {
        nullable: false,
        description:
          'From 1; where some are left out, older events were forgotten and these are the newest of their types.',
      }),
      at: t.expose('at', { type: 'DateTime', nullable: false }),
      state: t.field({
        type: GarbageRunStateEnum,
        nullable: false,
        resolve: ({ type }) => type as GarbageRun['state'],
      }),
      removed: t.field({
        type: [RemovedRef],
        nullable: false,
        description: 'Until then.',
        resolve: ({ data }) => listOf(data),
      }),
    }),
  });

const GarbageRef = builder.objectRef<ExplainedGarbage>('Garbage').implement({
  description: 'What the collector would remove now.',
  fields: (t) => ({
    kind: t.exposeString('kind', { nullable: false }),
    why: t.exposeString('why', { nullable: false }),
    items: t.exposeInt('items', { nullable: false }),
    bytes: t.expose('bytes', { type: 'Bytes', nullable: false }),
    examples: t.exposeStringList('examples', { nullable: false }),
  }),
});

builder.queryFields((t) => ({
  garbage: t.field({
    type: [GarbageRef],
    nullable: false,
    complexity: 1_000,
    description: 'A dry run of the collector; nothing is changed. For administrators.',
    resolve: async (_root, _args, { database, blobs, principal }) => {
      requireAdmin(principal);
      return (await explainGarbage({ database, blobs, grace: GRACE })).garbage;
    },
  }),
  garbageRuns: t.connection({
    type: GarbageRunRef,
    nullable: false,
    description: 'Runs of the collector, newest first. For administrators.',
    complexity: complexityByRows(PAGE_SIZES),
    resolve: (_root, args, { database, principal }) =>
      connectionById(args, PAGE_SIZES, (range) => findGarbageRuns(database, principal, range)),
  }),
}));

builder.subscriptionFields((t) => ({
  garbageRunFeed: t.field({
    type: GarbageRunEventRef,
    nullable: false,
    description: 'How far collections are, after a cursor or from now on. For administrators.',
    args: { after: t.arg.string({ description: '`0.0`: from the beginning.' }) },
    subscribe: (_root, { after }, { hub, principal }) =>
      abortable((signal) => followGarbageRuns(hub, principal, after ?? null, signal)),
    resolve: unbroken,
  }),
}));

function listOf(removed: Garbage): Removed[] {
  return Object.entries(removed).map(([kind, quantity]) => ({ kind: kind as GarbageKind, ...quantity }));
}
