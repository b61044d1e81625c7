import type { Repository } from '../../../domain/database/sql/repository-rows.ts';
import { InvalidInputError } from '../../../domain/errors.ts';
import { mayManage } from '../../../domain/registry/management.ts';
import { builder } from '../builder.ts';
import { ProjectRef } from '../identity/project.ts';
import { UserRef } from '../identity/user.ts';
import { RepositoryCategoryEnum, RepositoryTypeEnum } from './enums.ts';

export const RepositoryRef = builder.objectRef<Repository>('Repository');

builder.node(RepositoryRef, {
  description: 'Images of a project with settings of their own: who may read them, how many, for how long.',
  id: { resolve: (repository) => repository.id, parse: rowId },
  isTypeOf: (value) => typeof value === 'object' && value !== null && 'isPublic' in value,
  loadMany: (ids, { loaders }) => Promise.all(ids.map((id) => loaders.registry.repository.load(id))),
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    path: t.exposeString('path', { nullable: false, description: '`project/name`' }),
    project: t.field({
      type: ProjectRef,
      nullable: false,
      resolve: async ({ projectId }, _args, { loaders }) => (await loaders.project.load(projectId))!,
    }),
    type: t.expose('type', { type: RepositoryTypeEnum, nullable: false }),
    category: t.expose('category', { type: RepositoryCategoryEnum, nullable: false }),
    isPublic: t.exposeBoolean('isPublic', { nullable: false, description: 'Everybody may pull.' }),
    displayName: t.exposeString('displayName'),
    description: t.exposeString('description', { nullable: false }),
    configuration: t.field({
      type: 'JSON',
      description: 'As its creator gave it; there may be credentials in it, so it is for its owners.',
      resolve: async ({ project, name, configuration }, _args, { registry, principal }) =>
        configuration !== null && (await mayManage(registry, principal, { project, name }))
          ? configuration
          : null,
    }),
    quota: t.expose('quota', { type: 'Bytes', description: 'Null: no limit.' }),
    used: t.field({
      type: 'Bytes',
      nullable: false,
      complexity: 20,
      description: 'Of all its blobs; those that several images have count once.',
      resolve: ({ id }, _args, { loaders }) => loaders.registry.bytesOfRepository.load(id),
    }),
    version: t.exposeInt('version', {
      nullable: false,
      description: 'Counts what happens to the repository itself; see `repositoryEvents`.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    createdBy: t.field({
      type: UserRef,
      resolve: ({ createdById }, _args, { loaders }) =>
        createdById === null ? null : loaders.user.load(createdById),
    }),
    modifiedAt: t.expose('modifiedAt', { type: 'DateTime', nullable: false }),
    modifiedBy: t.field({
      type: UserRef,
      resolve: ({ modifiedById }, _args, { loaders }) =>
        modifiedById === null ? null : loaders.user.load(modifiedById),
    }),
  }),
});

/** For `parse` of the ids of nodes. */
export function rowId(id: string): number {
  if (!/^\d{1,15}$/.test(id)) throw new InvalidInputError('This is not the id of a node');
  return Number(id);
}
