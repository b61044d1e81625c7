import { listMembers, type Member } from '../../../domain/identity/list-projects.ts';
import type { Project } from '../../../domain/identity/project.ts';
import { ROLES } from '../../../domain/identity/project.ts';
import { builder } from '../builder.ts';
import { UserRef } from './user.ts';

export const ProjectVisibilityEnum = builder.enumType('ProjectVisibility', {
  description: 'PUBLIC: everybody who is logged in may read.',
  values: { PRIVATE: { value: 'private' }, PUBLIC: { value: 'public' } } as const,
});

export const ProjectRoleEnum = builder.enumType('ProjectRole', {
  values: Object.fromEntries(ROLES.map((role) => [role.toUpperCase(), { value: role }])) as Record<
    string,
    { value: (typeof ROLES)[number] }
  >,
});

const MemberRef = builder.objectRef<Member>('ProjectMember').implement({
  fields: (t) => ({
    user: t.expose('user', { type: UserRef, nullable: false }),
    role: t.expose('role', { type: ProjectRoleEnum, nullable: false }),
  }),
});

export const ProjectRef = builder.objectRef<Project>('Project').implement({
  description: 'Groups requests; members see and change what their role allows.',
  fields: (t) => ({
    name: t.exposeString('name', { nullable: false }),
    path: t.exposeString('path', {
      nullable: false,
      description:
        'How paths of images begin: the name, or, when that cannot stand in them, one that is made of it.',
    }),
    visibility: t.expose('visibility', { type: ProjectVisibilityEnum, nullable: false }),
    displayName: t.exposeString('displayName'),
    description: t.exposeString('description', { nullable: false }),
    createdBy: t.field({
      type: UserRef,
      resolve: ({ createdBy }, _args, { loaders }) => (createdBy ? loaders.user.load(createdBy.id) : null),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', nullable: false }),
    modifiedBy: t.field({
      type: UserRef,
      resolve: ({ modifiedBy }, _args, { loaders }) => (modifiedBy ? loaders.user.load(modifiedBy.id) : null),
    }),
    modifiedAt: t.expose('modifiedAt', { type: 'DateTime', nullable: false }),
    members: t.field({
      type: [MemberRef],
      description: 'Members and administrators see it.',
      resolve: (project, _args, { database, principal }) => listMembers(database, principal, project),
    }),
  }),
});
