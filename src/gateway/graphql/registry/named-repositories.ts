import type { Repository } from '../../../domain/database/sql/repository-rows.ts';
import type { PageOf } from '../../../domain/registry/image-packages.ts';
import {
  findNamedRepository,
  isNameTaken,
  listNamedRepositories,
} from '../../../domain/registry/named-repositories.ts';
import { changeNamedProject, createNamedProject, deleteProject } from '../../../domain/registry/projects.ts';
import { builder } from '../builder.ts';
import { ProjectRef } from '../identity/project.ts';
import { withoutNulls } from '../without-nulls.ts';
import { RepositoryTypeEnum } from './enums.ts';
import { REFUSALS } from './errors.ts';
import { RepositoryRef } from './repository.ts';

/** Projects and repositories as bk-repo's clients know them: by name, in numbered pages. */

const RepositoryPageRef = builder.objectRef<PageOf<Repository>>('RepositoryPage').implement({
  fields: (t) => ({
    total: t.exposeInt('total', { nullable: false, description: 'Of all pages.' }),
    rows: t.expose('rows', { type: [RepositoryRef], nullable: false }),
  }),
});

builder.queryFields((t) => ({
  namedRepository: t.field({
    type: RepositoryRef,
    nullable: false,
    description: 'Refuses with `name-unknown` or `registry-denied`, which tells more than `repository` does.',
    args: { project: t.arg.string({ required: true }), name: t.arg.string({ required: true }) },
    resolve: (_root, name, { registry, principal }) => findNamedRepository(registry, principal, name),
  }),
  namedRepositories: t.field({
    type: RepositoryPageRef,
    nullable: false,
    description: 'Of a project, by name.',
    complexity: ({ size }) => ({ field: 5, multiplier: Math.max(1, Math.ceil(Math.min(size, 10_000) / 3)) }),
    args: {
      project: t.arg.string({ required: true }),
      name: t.arg.string({ description: 'The beginning of it.' }),
      type: t.arg({ type: RepositoryTypeEnum }),
      page: t.arg.int({ required: true, description: 'From 1.' }),
      size: t.arg.int({ required: true, description: 'Rows of a page, at most 10,000.' }),
    },
    resolve: (_root, { project, name, type, page, size }, { registry, principal }) => {
      const filter = { project, name: name ?? null, type: type ?? null };
      return listNamedRepositories(registry, principal, filter, { page, size });
    },
  }),
  nameTaken: t.boolean({
    nullable: false,
    description: 'Of a project, or of a repository in it.',
    args: { project: t.arg.string({ required: true }), repository: t.arg.string() },
    resolve: (_root, { project, repository }, { registry, principal }) =>
      isNameTaken(registry, principal, { project, repository: repository ?? null }),
  }),
}));

builder.mutationFields((t) => {
  const texts = { displayName: t.arg.string(), description: t.arg.string() };
  return {
    createNamedProject: t.field({
      type: ProjectRef,
      nullable: false,
      description: "As bk-repo does it: names may have capitals. The caller becomes the project's owner.",
      errors: REFUSALS,
      args: { name: t.arg.string({ required: true }), ...texts },
      resolve: (_root, { name, ...input }, { registry, principal }) =>
        createNamedProject(registry, principal, { name, ...withoutNulls(input) }),
    }),
    changeProject: t.field({
      type: ProjectRef,
      nullable: false,
      description: 'What is absent stays. For owners and administrators.',
      errors: REFUSALS,
      args: { name: t.arg.string({ required: true }), ...texts },
      resolve: (_root, { name, ...input }, { registry, principal }) =>
        changeNamedProject(registry, principal, name, withoutNulls(input)),
    }),
    deleteProject: t.field({
      type: 'String',
      nullable: false,
      description: 'With images in it only if `forced`; never with bundle requests. Gives its name.',
      errors: REFUSALS,
      args: {
        name: t.arg.string({ required: true }),
        forced: t.arg.boolean({ required: true, defaultValue: false }),
      },
      resolve: async (_root, { name, forced }, { registry, principal }) => {
        await deleteProject(registry, principal, name, { forced });
        return name;
      },
    }),
  };
});
