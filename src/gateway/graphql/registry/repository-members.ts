import type { Role } from '../../../domain/identity/project.ts';
import {
  grantRoles,
  listRepositoryMembers,
  setRepositoryMember,
} from '../../../domain/registry/repository-members.ts';
import { builder } from '../builder.ts';
import { ProjectRoleEnum } from '../identity/project.ts';
import { UserRef } from '../identity/user.ts';
import { REFUSALS } from './errors.ts';
import { RepositoryRef } from './repository.ts';

const MemberRef = builder.objectRef<{ userId: number; role: Role }>('RepositoryMember').implement({
  description: 'What a user may do with one repository, beside what its role in the project allows.',
  fields: (t) => ({
    user: t.field({
      type: UserRef,
      nullable: false,
      resolve: async ({ userId }, _args, { loaders }) => (await loaders.user.load(userId))!,
    }),
    role: t.expose('role', { type: ProjectRoleEnum, nullable: false }),
  }),
});

builder.objectField(RepositoryRef, 'members', (t) =>
  t.field({
    type: [MemberRef],
    description: 'Owners of the repository or project and administrators see it.',
    resolve: (repository, _args, { registry, principal }) =>
      listRepositoryMembers(registry, principal, repository),
  }),
);

const RoleGrantInput = builder.inputType('RoleGrantInput', {
  fields: (t) => ({
    user: t.string({ required: true }),
    role: t.field({ type: ProjectRoleEnum, required: true }),
  }),
});

builder.mutationFields((t) => ({
  grantRoles: t.field({
    type: 'Boolean',
    nullable: false,
    description: 'At least these roles, to all of the users or to none. For owners and administrators.',
    errors: REFUSALS,
    args: {
      project: t.arg.string({ required: true }),
      repositories: t.arg.stringList({ description: 'Absent or empty: in the whole project.' }),
      grants: t.arg({ type: [RoleGrantInput], required: true }),
    },
    resolve: async (_root, { project, repositories, grants }, { registry, principal }) => {
      const roles = grants.map(({ user, role }) => ({ userName: user, role }));
      await grantRoles(registry, principal, { project, repositories: repositories ?? [] }, roles);
      return true;
    },
  }),
  setRepositoryMember: t.field({
    type: RepositoryRef,
    nullable: false,
    description:
      'Adds a member or changes its role. For owners of the repository or project and administrators.',
    errors: REFUSALS,
    args: {
      project: t.arg.string({ required: true }),
      name: t.arg.string({ required: true }),
      user: t.arg.string({ required: true }),
      role: t.arg({ type: ProjectRoleEnum, description: 'Null: it is no member any more.' }),
    },
    resolve: (_root, { user, role, ...repository }, { registry, principal }) =>
      setRepositoryMember(registry, principal, repository, { userName: user, role: role ?? null }),
  }),
}));
