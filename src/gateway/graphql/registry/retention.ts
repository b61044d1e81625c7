import type { RetiredTag } from '../../../domain/database/sql/retention.ts';
import { findBrowsedRepository } from '../../../domain/registry/browse.ts';
import { previewRetention, setRetention } from '../../../domain/registry/retention.ts';
import type { RetentionRules } from '../../../domain/registry/retention-rules.ts';
import { builder } from '../builder.ts';
import { withoutNulls } from '../without-nulls.ts';
import { REFUSALS } from './errors.ts';
import { ImageRef } from './refs.ts';
import { RepositoryRef } from './repository.ts';

const OrphansEnum = builder.enumType('OrphanRule', {
  description: 'What becomes of manifests that refer to a deleted one.',
  values: { REMOVE: { value: 'remove' }, KEEP: { value: 'keep' } } as const,
});

const DESCRIPTIONS = {
  images: 'Regular expressions for whole names of images that the rules are for; null: all.',
  keepLatest: 'So many tags of each image, those that were pushed last.',
  keepDays: 'Pushed in the last so many days.',
  keepSince: 'Pushed since then.',
  keepPulledDays: 'Pulled in the last so many days.',
  keepTags: 'Regular expressions for whole names of tags.',
  untaggedDays: 'Days after which manifests go that have neither a tag nor been pulled; null: they stay.',
};

const RetentionRulesRef = builder.objectRef<RetentionRules>('RetentionRules').implement({
  description:
    'A tag that any of the `keep…` rules names stays; the others go. Without such a rule all tags stay.',
  fields: (t) => ({
    images: t.exposeStringList('images', { nullable: true, description: DESCRIPTIONS.images }),
    keepLatest: t.exposeInt('keepLatest', { nullable: true, description: DESCRIPTIONS.keepLatest }),
    keepDays: t.exposeInt('keepDays', { nullable: true, description: DESCRIPTIONS.keepDays }),
    keepSince: t.exposeString('keepSince', { nullable: true, description: DESCRIPTIONS.keepSince }),
    keepPulledDays: t.exposeInt('keepPulledDays', {
      nullable: true,
      description: DESCRIPTIONS.keepPulledDays,
    }),
    keepTags: t.exposeStringList('keepTags', { nullable: true, description: DESCRIPTIONS.keepTags }),
    untaggedDays: t.exposeInt('untaggedDays', { nullable: true, description: DESCRIPTIONS.untaggedDays }),
    orphans: t.field({ type: OrphansEnum, nullable: true, resolve: ({ orphans }) => orphans }),
  }),
});

const RetentionRulesInput = builder.inputType('RetentionRulesInput', {
  description: 'See `RetentionRules`.',
  fields: (t) => ({
    images: t.stringList({ description: DESCRIPTIONS.images }),
    keepLatest: t.int({ description: DESCRIPTIONS.keepLatest }),
    keepDays: t.int({ description: DESCRIPTIONS.keepDays }),
    keepSince: t.string({ description: DESCRIPTIONS.keepSince }),
    keepPulledDays: t.int({ description: DESCRIPTIONS.keepPulledDays }),
    keepTags: t.stringList({ description: DESCRIPTIONS.keepTags }),
    untaggedDays: t.int({ description: DESCRIPTIONS.untaggedDays }),
    orphans: t.field({ type: OrphansEnum, description: 'REMOVE when absent.' }),
  }),
});

const RetiredTagRef = builder.objectRef<RetiredTag>('RetiredTag').implement({
  description: 'A tag that no rule keeps.',
  fields: (t) => ({
    image: t.field({
      type: ImageRef,
      resolve: ({ imageId }, _args, { loaders }) => loaders.registry.image.load(imageId),
    }),
    path: t.exposeString('path', { nullable: false, description: 'Of the image.' }),
    tag: t.exposeString('tag', { nullable: false }),
    digest: t.exposeString('digest', { nullable: false }),
    pushedAt: t.expose('pushedAt', { type: 'DateTime', nullable: false }),
    pulledAt: t.expose('pulledAt', { type: 'DateTime' }),
  }),
});

builder.objectField(RepositoryRef, 'retention', (t) =>
  t.field({
    type: RetentionRulesRef,
    description: 'Null: everything that has a tag stays.',
    resolve: ({ retention }) => retention as RetentionRules | null,
  }),
);

builder.queryFields((t) => ({
  retentionPreview: t.field({
    type: [RetiredTagRef],
    nullable: false,
    complexity: 100,
    description:
      'What rules would remove if they were set; nothing is changed. For owners and administrators.',
    args: {
      project: t.arg.string({ required: true }),
      name: t.arg.string({ required: true }),
      rules: t.arg({ type: RetentionRulesInput, required: true }),
    },
    resolve: (_root, { rules, ...repository }, { registry, principal }) =>
      previewRetention(registry, principal, repository, withoutNulls(rules)),
  }),
}));

builder.mutationFields((t) => ({
  setRetention: t.field({
    type: RepositoryRef,
    nullable: false,
    description: 'For owners of the repository or project and administrators.',
    errors: REFUSALS,
    args: {
      project: t.arg.string({ required: true }),
      name: t.arg.string({ required: true }),
      rules: t.arg({ type: RetentionRulesInput, description: 'Null: everything that has a tag stays.' }),
    },
    resolve: async (_root, { rules, ...repository }, { registry, principal }) => {
      await setRetention(registry, principal, repository, rules ? withoutNulls(rules) : null);
      return (await findBrowsedRepository(registry, principal, repository))!;
    },
  }),
}));
