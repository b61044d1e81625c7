import { readPullsByDay } from '../../../domain/database/sql/tag-rows.ts';
import type { Stage } from '../../../domain/registry/stages.ts';
import { builder } from '../builder.ts';
import { UserRef } from '../identity/user.ts';
import { StageEnum } from './enums.ts';
import { ImageRef, ManifestRef, TagRef } from './refs.ts';

const DayOfPullsRef = builder.objectRef<{ day: string; pulls: number }>('DayOfPulls').implement({
  fields: (t) => ({
    day: t.exposeString('day', { nullable: false, description: 'In UTC.' }),
    pulls: t.exposeInt('pulls', { nullable: false }),
  }),
});

const MONTH_MS = 30 * 24 * 3_600_000;

TagRef.implement({
  description: 'A name within an image that may move from one manifest to another.',
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    image: t.field({
      type: ImageRef,
      resolve: ({ imageId }, _args, { loaders }) => loaders.registry.image.load(imageId),
    }),
    manifest: t.field({
      type: ManifestRef,
      description: 'Null: it has just been deleted.',
      resolve: ({ manifestId }, _args, { loaders }) => loaders.registry.manifest.load(manifestId),
    }),
    stages: t.field({
      type: [StageEnum],
      nullable: false,
      description: 'What it was promoted to, in that order.',
      resolve: ({ stages }) => stages as Stage[],
    }),
    downloads: t.exposeFloat('downloads', {
      nullable: false,
      description: 'A whole number, maybe beyond 2^31.',
    }),
    lastPulledAt: t.expose('lastPulledAt', { type: 'DateTime' }),
    pullsByDay: t.field({
      type: [DayOfPullsRef],
      nullable: false,
      complexity: 10,
      args: { from: t.arg({ type: 'DateTime', description: 'Thirty days ago when absent.' }) },
      resolve: ({ imageId, name }, { from }, { database }) =>
        readPullsByDay(database.sql, { imageId, name, from: from ?? new Date(Date.now() - MONTH_MS) }),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false, description: 'First push.' }),
    createdBy: t.field({
      type: UserRef,
      resolve: ({ createdById }, _args, { loaders }) =>
        createdById === null ? null : loaders.user.load(createdById),
    }),
    modifiedAt: t.expose('modifiedAt', { type: 'DateTime', nullable: false, description: 'Last push.' }),
    modifiedBy: t.field({
      type: UserRef,
      resolve: ({ modifiedById }, _args, { loaders }) =>
        modifiedById === null ? null : loaders.user.load(modifiedById),
    }),
  }),
});
